#include "isolation/container/channels.h"

#include <utility>

namespace casemate::container {

Expected<ChannelEnds> MakeChannels(const ChannelsWanted& wanted, ContainerSandbox::Parts& parts) {
  EngineEnds engine;
  auto ends = casemate::MakeChannels(wanted, engine);
  if (!ends) return ends;
  parts.channels = std::move(engine.channels);
  parts.lifeline = std::move(engine.lifeline);
  parts.exit_status = std::move(engine.exit_status);
  return ends;
}

}  // namespace casemate::container
