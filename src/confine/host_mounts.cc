#include "confine/host_mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/errno.h"
#include "base/file.h"
#include "confine/root.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// A user namespace that maps one host owner to the program's id, and the ids `also` to themselves; id-mapped
// mounts take their map from such a descriptor (mount_setattr(2)). The process that carries it only waits to
// be killed.
Expected<UniqueFd> MakeMappingNamespace(uid_t owner, gid_t group, uid_t program, std::optional<uid_t> also) {
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const pid_t engine = getpid();
  const pid_t pid = Clone3(args);
  if (pid < 0)
    return FailErrno(ErrorCode::kUnavailable, "cannot make a user namespace for a mount", "clone3");
  if (pid == 0) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != engine) _exit(1);
    CloseAllBut({});
    for (;;) pause();
  }
  const UniqueFd child(pidfd);
  const auto write_map = [pid, also](const char* file, unsigned from, unsigned to) -> Expected<void> {
    const std::string path = fmt::format("/proc/{}/{}", pid, file);
    auto fd = OpenFile(path, O_WRONLY);
    if (!fd) return std::unexpected(fd.error());
    std::string lines = fmt::format("{} {} 1\n", from, to);
    if (also) lines += fmt::format("{0} {0} 1\n", *also);
    return WriteAll(fd->get(), lines, path);
  };
  Expected<void> done = write_map("gid_map", group, program);
  if (done) done = write_map("uid_map", owner, program);
  Expected<UniqueFd> space = OpenFile(fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
  PidfdSendSignal(child.get(), SIGKILL);
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!done) return std::unexpected(done.error());
  return space;
}

Expected<void> MapOwner(BindMount& bind, uid_t program, std::optional<uid_t> also) {
  struct stat info {};
  if (fstat(bind.tree.get(), &info) != 0) {
    return FailErrno(ErrorCode::kNotFound, "cannot use " + bind.source, "fstat " + bind.source);
  }
  // Who need not own the folder to read it does not: an owner may also connect to the sockets in it.
  const bool read_only = (bind.attributes & MOUNT_ATTR_RDONLY) != 0;
  if (read_only && (info.st_mode & S_IROTH) != 0) return {};
  auto space = MakeMappingNamespace(info.st_uid, info.st_gid, program, also);
  if (!space) return std::unexpected(space.error());
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_IDMAP;
  change.userns_fd = static_cast<__u64>(space->get());
  if (MountSetattr(bind.tree.get(), "", AT_EMPTY_PATH, change) == 0) return {};
  return FailErrno(
      ErrorCode::kUnavailable,
      fmt::format("the file system of {} cannot give its files to a sandbox (no id-mapped mounts); use "
                  "the mode `copy`",
                  bind.source),
      "mount_setattr " + bind.source);
}

Expected<void> CheckReadable(const BindMount& bind) {
  if (access(bind.source.c_str(), R_OK) == 0) return {};
  return FailErrno(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalidRequest,
                   fmt::format("cannot read {}; check the path and its permissions", bind.source),
                   "access " + bind.source);
}

// Subordinate ids are strangers to the caller's folder: what is closed to others is closed to them.
Expected<void> CheckReadableByStrangers(const BindMount& bind) {
  struct stat info {};
  if (stat(bind.source.c_str(), &info) != 0 || (info.st_mode & S_IROTH) != 0) return {};
  return Fail(
      ErrorCode::kInvalidRequest,
      fmt::format("the sandbox's user may not read {}; run chmod -R o+rX on it, or use the mode `copy`",
                  bind.source));
}

}  // namespace

Expected<void> OpenHostMounts(const IdSource& ids, const IdLease& lease, ConfinementPlan& plan,
                              bool root_creates) {
  const std::optional<uid_t> also = root_creates ? std::optional(lease.base()) : std::nullopt;
  for (BindMount& bind : plan.binds) {
    if (bind.given) {
      if (auto readable = CheckReadable(bind); !readable) return readable;
    }
    // An id map holds for one mount, not for what is mounted below it.
    const bool recursive = std::exchange(bind.recursive, bind.recursive && !bind.given);
    const int tree = OpenDetached(bind);
    if (tree == -EPERM) {
      bind.recursive = recursive;
      if (bind.given && ids.kind == IdSource::Kind::kNewuidmap) {
        if (auto readable = CheckReadableByStrangers(bind); !readable) return readable;
      }
      continue;
    }
    if (tree < 0) {
      return FailErrno(ErrorCode::kUnavailable, "cannot mount " + bind.source + " in a sandbox",
                       "open_tree " + bind.source, -tree);
    }
    bind.tree = UniqueFd(tree);
    if (bind.given && ids.kind == IdSource::Kind::kDirect) {
      if (auto mapped = MapOwner(bind, lease.base() + 1, also); !mapped) return mapped;
    }
  }
  return {};
}

}  // namespace casemate
