#include "confine/namespace_error.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "base/errno.h"
#include "base/file.h"
#include "confine/syscalls.h"

namespace casemate {

std::unexpected<Error> NamespaceError(int err) {
  std::string remedy = "run `casemate doctor`";
  if (ReadKernelNumber("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    remedy =
        "as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or install Casemate's AppArmor "
        "profile";
  } else if (ReadKernelNumber("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    remedy = "as root: sysctl -w kernel.unprivileged_userns_clone=1";
  } else if (err == ENOSPC || err == EUSERS) {
    remedy = "as root: sysctl -w user.max_user_namespaces=15000";
  } else if (err == EAGAIN) {
    remedy = "this user or cgroup has too many processes; raise ulimit -u or pids.max";
  }
  return FailErrno(ErrorCode::kUnavailable,
                   "this host does not let this user make the sandbox's namespaces; " + remedy, "clone3",
                   err);
}

Expected<void> CheckNamespaces() {
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
  args.exit_signal = SIGCHLD;
  const pid_t pid = Clone3(args);
  if (pid == 0) _exit(0);
  if (pid < 0) return NamespaceError(errno);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

}  // namespace casemate
