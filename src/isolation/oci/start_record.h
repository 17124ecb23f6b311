#pragma once

#include <cstdint>

namespace casemate::oci {

// What the container's init (src/confine/init/starter.c) tells the engine: records of this size, in this
// order.
struct StartRecord {
  enum What : std::int32_t {
    kReady = 1,     // waits for its filter and the end of the secrets
    kStarted = 2,   // the program has been executed
    kFailed = 3,    // or could not be: `value` is an errno
    kOver = 4,      // the program's wait status
    kNoWayOut = 5,  // instead of kStarted: its way to the egress proxy could not be made: `value` is an errno
  };
  std::int32_t what = 0;
  std::int32_t value = 0;
};
static_assert(sizeof(StartRecord) == 8, "starter.c writes eight bytes");

// The descriptors that it finds.
inline constexpr int kRecordsFd = 3;
inline constexpr int kEndedFd = 4;
inline constexpr int kSecretsFd = 5;
inline constexpr int kRequestAtStart = 6;
inline constexpr int kResultAtStart = 7;
// Of two of its network: from the engine, and, the next one, to it. They follow the others without a gap.
constexpr int WayOutAtStart(bool control_channel) {
  return control_channel ? kResultAtStart + 1 : kSecretsFd + 1;
}
// Behind all of them, and the runtime's alone: its own executable.
inline constexpr int kRuntimeFd = kResultAtStart + 3;

}  // namespace casemate::oci
