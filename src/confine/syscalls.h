#pragma once

#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

// System calls that the C library of our oldest host does not wrap. All are async-signal-safe; on failure
// they return -1 and set errno, as the C library's do.
namespace casemate {

// clone3(2) as fork: the child returns 0.
pid_t Clone3(clone_args& args);
// fork(2) without the C library, whose handlers and locks belong to threads that the child does not have.
pid_t ForkAlone();
int PivotRoot(const char* new_root, const char* put_old);
int OpenTree(int dir_fd, const char* path, unsigned flags);
int MoveMount(int from_fd, const char* from, int to_fd, const char* to, unsigned flags);
int MountSetattr(int dir_fd, const char* path, unsigned flags, const mount_attr& attr);
int CloseRange(unsigned first, unsigned last, unsigned flags);
// Closes every descriptor but those in `keep`, which is in ascending order.
void CloseAllBut(std::span<const int> keep);
int PidfdSendSignal(int pidfd, int signal);
int PidfdOpen(pid_t pid);
// openat2(2) of an absolute path in which no part is a symbolic link; ELOOP when one is.
int OpenWithoutLinks(const char* path, int flags);
// openat2(2) that never leaves `dir_fd` and follows no symbolic link at all.
int OpenBeneath(int dir_fd, const char* path, int flags, mode_t mode = 0);

}  // namespace casemate
