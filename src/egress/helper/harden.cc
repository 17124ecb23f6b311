#include "egress/helper/harden.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>

#include "base/errno.h"
#include "base/instrumented.h"
#include "base/unique_fd.h"

namespace casemate {
namespace embedded {
std::string_view EgressProfile(std::string_view path);
}  // namespace embedded

namespace egress {
namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kDescriptors = 8192;  // six a tunnel
constexpr rlim_t kMemoryBytes = rlim_t{1} << 30;
// Configuration and modules of the host's resolver, certificate authorities.
constexpr std::array kReadable = {"/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve"};
// A link to anywhere, on some hosts.
constexpr const char* kResolverConfiguration = "/etc/resolv.conf";

std::unexpected<Error> Broken(std::string_view what, int err = errno) {
  return FailErrno(ErrorCode::kUnavailable, "the egress proxy cannot give up its privileges on this host",
                   what, err);
}

Expected<void> SetLimits() {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max = std::min(descriptors.rlim_max, kDescriptors);
  const rlimit none{0, 0};
  const rlim_t bytes = kInstrumented ? RLIM_INFINITY : kMemoryBytes;
  const rlimit memory{bytes, bytes};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 ||
      setrlimit(RLIMIT_NOFILE, &descriptors) != 0 || setrlimit(RLIMIT_DATA, &memory) != 0)
    return Broken("setrlimit");
  return {};
}

Expected<void> DropIds() {
  if (geteuid() == 0) {
    if (setgroups(0, nullptr) != 0) return Broken("setgroups");
    if (setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0)
      return Broken("setresuid");
    if (setresuid(0, 0, 0) == 0) return Broken("setresuid", EPERM);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Broken("prctl PR_SET_NO_NEW_PRIVS");
  // Taking another id has made it dumpable or not as the host is set up (proc(5), suid_dumpable).
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Broken("prctl PR_SET_DUMPABLE");
  return {};
}

// True for what is not on this host, too.
bool AllowReading(int ruleset, const char* path, std::uint64_t access) {
  const UniqueFd place(open(path, O_PATH | O_CLOEXEC));
  if (!place.valid()) return true;
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = access;
  beneath.parent_fd = place.get();
  return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
}

Expected<void> RestrictFiles() {
  landlock_ruleset_attr rules{};
  // All of Landlock's first version: what is not granted below is refused.
  rules.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  const UniqueFd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0)));
  if (!ruleset.valid()) {
    if (errno == ENOSYS || errno == EOPNOTSUPP) return {};
    return Broken("landlock_create_ruleset");
  }
  for (const char* const path : kReadable) {
    if (!AllowReading(ruleset.get(), path, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
      return Broken("landlock_add_rule");
  }
  if (!AllowReading(ruleset.get(), kResolverConfiguration, LANDLOCK_ACCESS_FS_READ_FILE))
    return Broken("landlock_add_rule");
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return Broken("landlock_restrict_self");
  return {};
}

int Allow(scmp_filter_ctx filter, std::string_view line) {
  const int call = seccomp_syscall_resolve_name(std::string(line.substr(0, line.find(' '))).c_str());
  // Some are of one architecture alone.
  return call < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

int FillFilter(scmp_filter_ctx filter) {
  std::string_view text = embedded::EgressProfile("profiles/egress/calls.txt");
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    if (const int failed = Allow(filter, line); failed != 0) return failed;
  }
  // Threads, and nothing else that clone(2) makes. The flags of clone3 cannot be seen: the C library does
  // without.
  if (const int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                          SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
      failed != 0)
    return failed;
  if (const int failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0); failed != 0)
    return failed;
  if (kInstrumented) {
    if (const int failed = Allow(filter, "sigaltstack"); failed != 0) return failed;
  }
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK}) {
    if (const int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                            SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
        failed != 0)
      return failed;
  }
  return seccomp_load(filter);
}

Expected<void> RestrictCalls() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return Broken("seccomp_init", ENOMEM);
  const int failed = FillFilter(filter);
  seccomp_release(filter);
  if (failed != 0) return Broken("seccomp", -failed);
  if (syscall(SYS_getppid) != -1 || errno != EPERM) return Broken("seccomp", EINVAL);
  return {};
}

}  // namespace

Expected<void> GiveUpPower() {
  std::signal(SIGPIPE, SIG_IGN);
  Expected<void> done = SetLimits();
  if (done) done = DropIds();
  if (done) done = RestrictFiles();
  return done ? RestrictCalls() : done;
}

}  // namespace egress
}  // namespace casemate
