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

// The parts of a plan that a warm cell gets at another time than a cold sandbox.
std::vector<std::string> WritablePaths(const LaunchSpec& spec);
std::vector<ResourceLimit> ProgramLimits(const LaunchSpec& spec, const Host& host);

// All of a plan that does not need descriptors. They, and the detached mounts, are the launcher's.
Expected<std::unique_ptr<ConfinementPlan>> MakePlan(const LaunchSpec& spec, const Host& host,
                                                    const IdSource& ids);

}  // namespace casemate::container
