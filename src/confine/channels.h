#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/launch_step.h"
#include "confine/plan.h"

namespace casemate {

// The descriptors that tie a sandbox to the engine: the engine's ends, which it keeps as long as the sandbox,
struct EngineEnds {
  std::array<UniqueFd, 5> channels;  // by Channel
  UniqueFd lifeline;                 // write end
  UniqueFd exit_status;              // read end
};
// and the others, to be given away and closed.
struct ChannelEnds {
  UniqueFd ours;    // launch socket
  UniqueFd theirs;  // its other end
  UniqueFd lifeline;
  UniqueFd exit_status;
  std::vector<UniqueFd> program;      // in the order of `moves`
  std::vector<DescriptorMove> moves;  // which of them becomes which number inside
};
struct ChannelsWanted {
  bool stdin_pipe = false;       // otherwise stdin is at its end at once
  bool control = false;          // request and result channel
  std::int64_t patience_ms = 0;  // of a write to the launch socket
  bool terminal = false;         // no pipes for the three streams: the program opens them, and sends its end
};
Expected<ChannelEnds> MakeChannels(const ChannelsWanted& wanted, EngineEnds& engine);

// Takes one message from the launch socket; false at the end of the conversation. `flags` as for recvmsg(2).
Expected<bool> ReceiveLaunchMessage(int socket, LaunchMessage& message, std::array<UniqueFd, 2>& fds,
                                    int flags = 0);

}  // namespace casemate
