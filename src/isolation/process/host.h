#pragma once

#include <string>

#include "confine/cgroup_host.h"
#include "confine/id_pool.h"

namespace casemate::process {

// What this host gives the process tier; found once, valid for the life of the process.
struct Host {
  CgroupHost cgroups;
  // kDirect where the caller has the power to give a run a user id of its own, kSingle everywhere else: an id
  // of newuidmap exists in a user namespace alone, and this tier has none.
  IdSource ids;
  int landlock_abi = 0;
  bool may_empty_bounding_set = false;
  std::string lock_folder;  // for leases of ids
  std::string temporary;    // where runs have their folders

  bool own_ids() const { return ids.kind == IdSource::Kind::kDirect; }
  // Whether the program can signal neither the engine nor its keeper (landlock(7): scopes since ABI 6).
  bool out_of_reach() const { return own_ids() || landlock_abi >= 6; }
};

// `temporary`: "" for $TMPDIR or /tmp.
Host FindHost(std::string lock_folder, std::string temporary);

}  // namespace casemate::process
