#include "confine/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace casemate {
namespace {

constexpr uid_t kRoot = 0;

struct CapabilitySets {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};  // NOLINT(modernize-avoid-c-arrays): kernel ABI
};

bool AllSetsEmpty() {
  CapabilitySets sets;
  if (syscall(SYS_capget, &sets.header, sets.data) != 0) return false;
  for (const auto& part : sets.data) {
    if (part.effective != 0 || part.permitted != 0 || part.inheritable != 0) return false;
  }
  return true;
}

// The kernel answers EINVAL for the first number beyond its last capability.
bool BoundingSetEmpty() {
  for (int capability = 0;; ++capability) {
    const int bound = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (bound < 0) return true;
    if (bound != 0) return false;
  }
}

}  // namespace

bool HasCapability(int capability) {
  CapabilitySets sets;
  if (syscall(SYS_capget, &sets.header, sets.data) != 0) return false;
  const auto index = static_cast<unsigned>(capability);
  return (sets.data[index / 32].effective & (1U << (index % 32))) != 0;
}

// Here too EINVAL is the end of the list; that all are gone is proved by VerifyPrivilegesGone().
int DropBoundingSet() {
  if (BoundingSetEmpty()) return 0;
  for (int capability = 0;; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      return errno == EINVAL && capability > 0 ? 0 : -errno;
  }
}

// Raw system calls: the C library's wrappers would signal every thread of the forked engine's bookkeeping.
int TakeIds(uid_t uid, bool clear_groups) {
  if (clear_groups && syscall(SYS_setgroups, 0, nullptr) != 0) return -errno;
  if (syscall(SYS_setresgid, uid, uid, uid) != 0) return -errno;
  if (syscall(SYS_setresuid, uid, uid, uid) != 0) return -errno;
  return 0;
}

int DropCapabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -errno;
  CapabilitySets none;
  if (syscall(SYS_capset, &none.header, none.data) != 0) return -errno;
  return 0;
}

int SetNoNewPrivileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  return 0;
}

int VerifyPrivilegesGone(uid_t uid, gid_t gid, KeptPrivileges kept) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  if (getresuid(&real, &effective, &saved) != 0) return -errno;
  if (real != uid || effective != uid || saved != uid) return -EPERM;
  if (getresgid(&real, &effective, &saved) != 0) return -errno;
  if (real != gid || effective != gid || saved != gid) return -EPERM;
  if (!AllSetsEmpty() || (!kept.bounding_set && !BoundingSetEmpty())) return -EPERM;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return -EPERM;
  if (!kept.root_id && syscall(SYS_setresuid, kRoot, kRoot, kRoot) == 0) return -EPERM;
  return 0;
}

}  // namespace casemate
