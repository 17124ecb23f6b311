#pragma once

#include <string>
#include <vector>

#include "casemate/backend.h"

namespace casemate::docker {

// What a container's configuration takes from the host and its Docker Engine.
struct HostFacts {
  int cpus = 1;         // of the engine's host: it refuses a share of more
  std::string runtime;  // "" for the engine's own default; "runsc", "kata"
  bool local = true;    // host folders can be given
};

inline constexpr const char* kRunLabel = "casemate.run";  // a run's id
inline constexpr const char* kOwnerLabel =
    "casemate.owner";  // BOOT-ID PID START-TIME of the process that made it

// The body of POST /containers/create: everything closed and bounded that the engine can close and bound.
// `run` is the label alone: runs with the same text otherwise can take each other's container before it has
// begun. kUnavailable for a host folder that an engine elsewhere cannot see.
Expected<std::string> ContainerConfig(const LaunchSpec& spec, const HostFacts& host, const std::string& image,
                                      const std::string& owner, const std::string& run);

// The same as words of `docker run`, for a person; the seccomp profile is named as the file `seccomp_file`.
std::vector<std::string> DockerRunWords(const LaunchSpec& spec, const HostFacts& host,
                                        const std::string& image, const std::string& seccomp_file);

// Our system call filter in Docker's JSON (tools/seccomp). With a network, TCP and UDP sockets may be made
// and connected: there is no other interface than the container's own loopback.
std::string SeccompProfile(const NetworkPolicy& network);

}  // namespace casemate::docker
