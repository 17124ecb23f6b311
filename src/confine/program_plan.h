#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/backend.h"
#include "confine/id_pool.h"
#include "confine/plan.h"

namespace casemate {

// The parts of a plan that do not depend on what walls there are.

// PATH of the program: the usual folders, and before them the interpreter's own where it is another.
std::string SearchPath(const EnvironmentView& environment);
// What execve is tried with for `command`, as a shell would look for it.
std::vector<std::string> ExecCandidates(const std::string& command, std::string_view search_path,
                                        const std::string& working_dir);
// The same for every program: a warm cell has them from its zygote, and its filter lets nobody change them.
std::vector<ResourceLimit> CommonLimits();
// The limits of `policy` that the kernel holds for each process alone.
std::vector<ResourceLimit> EachProcessLimits(const Policy& policy);
// Where no cgroup counts memory, a sum of what is touched is sampled, and each process may reserve
// `memory_bytes` and kUntouchedBytes (RLIMIT_DATA, which counts what is mapped: setrlimit(2)): OpenBLAS
// reserves 128 MiB and a stack for each processor, and asks for ever where it does not get them.
inline constexpr std::int64_t kUntouchedBytes = 4 * kGiB;
ResourceLimit PrivateMemoryLimit(const Limits& limits);
// The ids that a run gets where this process has `source`: a host folder that it may write must belong to it,
// and only root can arrange that with an id-mapped mount; otherwise the run has the caller's own id.
IdSource IdsFor(const IdSource& source, const Policy& policy);

// A sandbox with a root of its own.
inline constexpr const char* kSandboxHostName = "sandbox";
inline constexpr const char* kProcOptions = "subset=pid,hidepid=invisible";
// `code`: with a folder for the program's text, which a sandbox that is started for it has in its root.
ScratchPlan PlanScratch(const Limits& limits, bool own_workspace, bool code);
// How many files and folders of a warm cell's scratch file system are our own.
inline constexpr std::int64_t kWarmScratchFolders = 6;
// The few variables that every program there gets; the request's own come on top.
std::map<std::string, std::string> ProgramEnvironment(const LaunchSpec& spec);

}  // namespace casemate
