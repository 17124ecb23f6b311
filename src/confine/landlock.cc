#include "confine/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace casemate {
namespace {

// Newer than the headers of our oldest host; numbers from the kernel's include/uapi/linux/landlock.h.
constexpr std::uint64_t kAccessFsTruncate = 1ULL << 14;    // ABI 3
constexpr std::uint64_t kAccessFsIoctlDev = 1ULL << 15;    // ABI 5
constexpr std::uint64_t kAccessNetBindTcp = 1ULL << 0;     // ABI 4
constexpr std::uint64_t kAccessNetConnectTcp = 1ULL << 1;  // ABI 4
constexpr std::uint64_t kScopeAbstractUnix = 1ULL << 0;    // ABI 6
// ABI 7: denials of domains that the program makes below ours are not written to the host's audit log.
constexpr std::uint32_t kLogSubdomainsOff = 1U << 2;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;  // ABI 6

constexpr std::uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kChange =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | kAccessFsTruncate;
// Device files are made nowhere: handled, and allowed below no path.
constexpr std::uint64_t kMakeDevices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
// What a file, as opposed to a folder, can be given (EINVAL for the rest).
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | kAccessFsTruncate | kAccessFsIoctlDev;

struct RulesetAttr {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

std::uint64_t HandledFiles(int abi) {
  std::uint64_t access = kRead | kChange | kMakeDevices | kAccessFsIoctlDev;
  if (abi < 2) access &= ~std::uint64_t{LANDLOCK_ACCESS_FS_REFER};
  if (abi < 3) access &= ~kAccessFsTruncate;
  if (abi < 5) access &= ~kAccessFsIoctlDev;
  return access;
}

// The kernel refuses a longer struct than it knows unless the rest is zero, so the size follows the ABI.
std::size_t RulesetSize(int abi) {
  if (abi < 4) return offsetof(RulesetAttr, handled_access_net);
  return abi < 6 ? offsetof(RulesetAttr, scoped) : sizeof(RulesetAttr);
}

int Allow(int ruleset, const char* path, std::uint64_t access) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return -errno;
  struct stat info {};
  if (fstat(fd, &info) != 0) {
    const int err = errno;
    close(fd);
    return -err;
  }
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(info.st_mode) ? access : access & kOfFiles;
  rule.parent_fd = fd;
  const long added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const int err = errno;
  close(fd);
  return added == 0 ? 0 : -err;
}

std::uint64_t AccessOf(LandlockPlan::Grant::Access access) {
  switch (access) {
    case LandlockPlan::Grant::Access::kRead:
      return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    case LandlockPlan::Grant::Access::kReadAndExecute:
      return kRead;
    case LandlockPlan::Grant::Access::kWrite:
      return (kRead & ~std::uint64_t{LANDLOCK_ACCESS_FS_EXECUTE}) | kChange;
    case LandlockPlan::Grant::Access::kDevice:
      return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kAccessFsTruncate |
             kAccessFsIoctlDev;
  }
  return 0;
}

int AddGrants(int ruleset, const LandlockPlan& plan, std::uint64_t handled) {
  for (const LandlockPlan::Grant& grant : plan.grants) {
    if (const int failed = Allow(ruleset, grant.path.c_str(), AccessOf(grant.access) & handled); failed != 0)
      return failed;
  }
  return 0;
}

int AddReadableRoot(int ruleset, std::uint64_t handled) {
  if (const int failed = Allow(ruleset, "/", kRead & handled); failed != 0) return failed;
  const std::uint64_t device = LANDLOCK_ACCESS_FS_WRITE_FILE | kAccessFsTruncate | kAccessFsIoctlDev;
  return Allow(ruleset, "/dev", device & handled);
}

int AddRules(int ruleset, const LandlockPlan& plan, std::uint64_t handled) {
  if (const int failed =
          plan.grants.empty() ? AddReadableRoot(ruleset, handled) : AddGrants(ruleset, plan, handled);
      failed != 0)
    return failed;
  for (const std::string& path : plan.writable) {
    if (const int failed = Allow(ruleset, path.c_str(), (kRead | kChange) & handled); failed != 0)
      return failed;
  }
  return 0;
}

}  // namespace

int LandlockAbi() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

int PrepareLandlock(const LandlockPlan& plan) {
  if (plan.abi < 1) return -ENOSYS;
  RulesetAttr attr{};
  attr.handled_access_fs = HandledFiles(plan.abi);
  if (plan.abi >= 4 && !plan.connects) attr.handled_access_net = kAccessNetConnectTcp;
  // Without a network namespace a listener would be one of the host's.
  if (plan.abi >= 4 && !plan.grants.empty()) attr.handled_access_net |= kAccessNetBindTcp;
  if (plan.abi >= 6) attr.scoped = kScopeAbstractUnix | kScopeSignal;
  const int ruleset = static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, RulesetSize(plan.abi), 0));
  if (ruleset < 0) return -errno;
  const int failed = AddRules(ruleset, plan, attr.handled_access_fs);
  if (failed == 0) return ruleset;
  close(ruleset);
  return failed;
}

int RestrictWith(int ruleset, int abi) {
  const long restricted = syscall(SYS_landlock_restrict_self, ruleset, abi >= 7 ? kLogSubdomainsOff : 0);
  const int err = errno;
  close(ruleset);
  return restricted == 0 ? 0 : -err;
}

int RestrictWithLandlock(const LandlockPlan& plan) {
  if (plan.abi < 1) return 0;
  const int ruleset = PrepareLandlock(plan);
  return ruleset < 0 ? ruleset : RestrictWith(ruleset, plan.abi);
}

}  // namespace casemate
