#pragma once

#include "confine/channels.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// The same with the engine's ends among the sandbox's parts.
Expected<ChannelEnds> MakeChannels(const ChannelsWanted& wanted, ContainerSandbox::Parts& parts);

}  // namespace casemate::container
