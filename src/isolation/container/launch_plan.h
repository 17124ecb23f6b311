#pragma once

#include <memory>
#include <string>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "confine/cgroup_host.h"
#include "confine/id_pool.h"
#include "confine/plan.h"
#include "confine/program_plan.h"

namespace casemate::container {

// What this host gives the container tier; found once, valid for the life of the process.
struct Host {
  CgroupHost cgroups;
  IdSource ids;
  int landlock_abi = 0;
  std::string lock_folder;  // for leases of ids
};

// The ids that a run gets: a host folder that it may write must belong to it, and only root can arrange that
// with an id-mapped mount; otherwise the run has the caller's own id.
IdSource IdsFor(const Host& host, const Policy& policy);

// The parts of a plan that a warm cell gets at another time than a cold sandbox.
inline constexpr const char* kHostName = "sandbox";
inline constexpr const char* kProcOptions = "subset=pid,hidepid=invisible";
// `code`: with a folder for the program's text, which a cold sandbox has in its root.
ScratchPlan PlanScratch(const Limits& limits, bool own_workspace, bool code);
// How many files and folders of a warm cell's scratch file system are our own.
inline constexpr std::int64_t kWarmScratchFolders = 6;
std::vector<std::string> WritablePaths(const LaunchSpec& spec);
std::vector<ResourceLimit> ProgramLimits(const LaunchSpec& spec, const Host& host);
// The few variables that every program gets; the request's own come on top.
std::map<std::string, std::string> ProgramEnvironment(const LaunchSpec& spec);

// All of a plan that does not need descriptors. They, and the detached mounts, are the launcher's.
Expected<std::unique_ptr<ConfinementPlan>> MakePlan(const LaunchSpec& spec, const Host& host,
                                                    const IdSource& ids);

}  // namespace casemate::container
