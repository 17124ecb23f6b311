#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loaded_files.h"
#include "base/unique_fd.h"
#include "isolation/container/launch_plan.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// How many cells of one zygote may be there at once, waiting, running and dying, and one for itself.
inline constexpr uid_t kZygoteIdPairs = 2048;

struct RunningZygote {
  std::unique_ptr<ContainerSandbox> sandbox;
  std::shared_ptr<const UniqueFd> control;  // SOCK_SEQPACKET, cell_message.h
  bool single_id = false;
  std::map<std::string, std::string> modules;  // what became of each that was to be preloaded: "" or why not
  LoadedFiles files;                           // what it has read of the environment
};

// Starts a zygote for `environment` and waits until it can fork. `root_files` are the harness's, with the
// zygote's own first. Modules that cannot be shared safely are left out and named. Blocks for as long as the
// imports take, at most two minutes.
Expected<RunningZygote> StartRunningZygote(const Host& host, const EnvironmentView& environment,
                                           const std::vector<RootFile>& root_files,
                                           const std::vector<std::string>& preload);

}  // namespace casemate::container
