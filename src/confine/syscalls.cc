#include "confine/syscalls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace casemate {

pid_t Clone3(clone_args& args) { return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args))); }

pid_t ForkAlone() {
  return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

int PivotRoot(const char* new_root, const char* put_old) {
  return static_cast<int>(syscall(SYS_pivot_root, new_root, put_old));
}

int OpenTree(int dir_fd, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, dir_fd, path, flags));
}

int MoveMount(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  return static_cast<int>(syscall(SYS_move_mount, from_fd, from, to_fd, to, flags));
}

int MountSetattr(int dir_fd, const char* path, unsigned flags, const mount_attr& attr) {
  return static_cast<int>(syscall(SYS_mount_setattr, dir_fd, path, flags, &attr, sizeof(attr)));
}

int CloseRange(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(syscall(SYS_close_range, first, last, flags));
}

void CloseAllBut(std::span<const int> keep) {
  unsigned next = 0;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > next) CloseRange(next, kept - 1, 0);
    next = kept + 1;
  }
  CloseRange(next, ~0U, 0);
}

int PidfdSendSignal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int PidfdOpen(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

int OpenWithoutLinks(const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags) | O_CLOEXEC);
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

int OpenBeneath(int dir_fd, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<__u64>(static_cast<unsigned>(flags) | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, dir_fd, path, &how, sizeof(how)));
}

}  // namespace casemate
