#include "confine/host_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/errno.h"
#include "base/file.h"
#include "confine/cgroup_host.h"
#include "confine/id_pool.h"
#include "confine/landlock.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

using State = HostFinding::State;

// mount_setattr(2) is the newest call without which nothing works; RLIMIT_NPROC counts by namespace
// since 5.14.
constexpr int kOldestMajor = 5;
constexpr int kOldestMinor = 14;

HostFinding Kernel() {
  utsname name{};
  uname(&name);
  int major = 0;
  int minor = 0;
  const std::string release = name.release;
  const std::size_t dot = release.find('.');
  if (dot != std::string::npos) {
    // 0 is a fine answer for nonsense.
    std::from_chars(release.data(), release.data() + dot, major);
    std::from_chars(release.data() + dot + 1, release.data() + release.size(), minor);
  }
  const bool fine = major > kOldestMajor || (major == kOldestMajor && minor >= kOldestMinor);
  return {"kernel", fine ? State::kOk : State::kMissing, "Linux " + release,
          fine ? "" : fmt::format("upgrade to Linux {}.{} or newer", kOldestMajor, kOldestMinor)};
}

std::string NamespaceRemedy(int err) {
  if (ReadKernelNumber("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (ReadKernelNumber("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    return "as root: sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (err == ENOSPC || err == EUSERS) return "as root: sysctl -w user.max_user_namespaces=15000";
  return "allow clone with CLONE_NEWUSER in the container or service that surrounds this process";
}

HostFinding Namespaces() {
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  const pid_t pid = Clone3(args);
  if (pid == 0) _exit(0);
  if (pid < 0) {
    const int err = errno;
    return {"namespaces", State::kMissing, "clone3: " + ErrnoName(err), NamespaceRemedy(err)};
  }
  waitpid(pid, nullptr, 0);
  return {"namespaces", State::kOk, "user, pid, mount, network, ipc and uts", ""};
}

HostFinding Ids() {
  const IdSource source = FindIdSource();
  switch (source.kind) {
    case IdSource::Kind::kDirect:
      return {"user ids", State::kOk, fmt::format("own ids for each run, from {} on", source.range.first),
              ""};
    case IdSource::Kind::kNewuidmap:
      return {"user ids", State::kOk,
              fmt::format("own ids for each run, from {} on (newuidmap)", source.range.first), ""};
    case IdSource::Kind::kSingle:
      return {"user ids", State::kWeak, source.why_not, source.remedy};
  }
  return {};
}

HostFinding Controller(const CgroupHost& host, CgroupController controller) {
  const CgroupPlace& place = host.place(controller);
  const std::string mechanism = fmt::format("cgroup {}", CgroupControllerName(controller));
  if (place.version == 0) return {mechanism, State::kWeak, place.why_not, place.remedy};
  return {mechanism, State::kOk, fmt::format("version {}, below {}", place.version, place.parent), ""};
}

HostFinding Seccomp() {
  const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
    return {"seccomp", State::kOk, "filter with user notification", ""};
  }
  return {"seccomp", State::kMissing, "no user notification: " + ErrnoName(errno),
          "use a kernel with CONFIG_SECCOMP_FILTER (5.0 or newer)"};
}

HostFinding Landlock() {
  const int abi = LandlockAbi();
  if (abi >= 6) return {"Landlock", State::kOk, fmt::format("ABI {}", abi), ""};
  if (abi > 0) {
    return {"Landlock", State::kOk,
            fmt::format(
                "ABI {}; from 6 on (Linux 6.12) it also keeps the process tier's signals within a run", abi),
            ""};
  }
  return {"Landlock", State::kWeak,
          "not there: the private root is the only wall around files, and the process tier cannot run",
          "boot with lsm=landlock,… (kernel 5.13 or newer with CONFIG_SECURITY_LANDLOCK)"};
}

HostFinding Descriptors() {
  constexpr rlim_t kNeeded = 2100;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kNeeded)
    return {"open files", State::kOk, fmt::format("hard limit {}", limit.rlim_max), ""};
  return {"open files", State::kMissing, fmt::format("hard limit {}, {} are needed", limit.rlim_max, kNeeded),
          "ulimit -Hn 4096, or LimitNOFILE= of the service"};
}

}  // namespace

std::vector<HostFinding> ProbeHost() {
  const CgroupHost cgroups = CgroupHost::Discover(false);
  std::vector<HostFinding> findings{Kernel(), Namespaces(), Ids()};
  for (const CgroupController controller : kCgroupControllers)
    findings.push_back(Controller(cgroups, controller));
  findings.push_back(Seccomp());
  findings.push_back(Landlock());
  findings.push_back(Descriptors());
  return findings;
}

}  // namespace casemate
