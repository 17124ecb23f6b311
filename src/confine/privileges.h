#pragma once

#include <sys/types.h>

namespace casemate {

// Whether this thread has `capability` (CAP_*) in effect.
bool HasCapability(int capability);

// All async-signal-safe; 0 or -errno. Each act is followed by a look whether it is done: see capabilities(7),
// "Capability bounding set".

// Empties the bounding set; afterwards no file can give a capability.
int DropBoundingSet();
// Takes `uid` and the equal gid in all of real, effective and saved, and no supplementary group if
// `clear_groups`.
int TakeIds(uid_t uid, bool clear_groups);
// Empties the ambient, permitted, effective and inheritable sets.
int DropCapabilities();
int SetNoNewPrivileges();
// -EPERM unless all of the above is seen to hold for this thread: ids are `uid` and `gid`, every capability
// set is empty, the bounding set too, no_new_privs is set, and becoming root fails; but for what is `kept` on
// purpose.
struct KeptPrivileges {
  bool bounding_set = false;
  bool root_id = false;  // it is root, without a capability, and stays it
};
int VerifyPrivilegesGone(uid_t uid, gid_t gid, KeptPrivileges kept = {});

}  // namespace casemate
