#include "confine/tree_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace casemate {
namespace {

constexpr int kDepthMax = 64;

// getdents64(2)'s record; the C library's readdir allocates.
struct DirectoryRecord {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  unsigned char type;
  char name[1];  // NOLINT(modernize-avoid-c-arrays): kernel ABI
};

int Copy(int from, int to, int depth);

int CopyBytes(int from, int to, off_t size) {
  if (ftruncate(to, size) != 0) return -errno;
  for (off_t at = 0; at < size;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0) return errno == ENXIO ? 0 : -errno;  // a hole up to the end
    off_t end = lseek(from, data, SEEK_HOLE);
    if (end < 0) return -errno;
    if (lseek(to, data, SEEK_SET) != data) return -errno;
    for (off_t place = data; place < end;) {
      const ssize_t count = sendfile(to, from, &place, static_cast<std::size_t>(end - place));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return -errno;
      if (count == 0) end = place;  // cut short by whoever writes to it
    }
    at = end;
    if (at <= data) return 0;
  }
  return 0;
}

int SetMetadata(int fd, const struct stat& info) {
  const std::array<timespec, 2> times{info.st_atim, info.st_mtim};
  if (fchown(fd, info.st_uid, info.st_gid) != 0 || fchmod(fd, info.st_mode & 07777U) != 0 ||
      futimens(fd, times.data()) != 0) {
    return -errno;
  }
  return 0;
}

int CopyFile(int from, int to, const char* name, const struct stat& info) {
  const int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (source < 0) return errno == ENOENT || errno == ELOOP ? 0 : -errno;  // it was replaced meanwhile
  const int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int failed = target < 0 ? -errno : 0;
  if (failed == 0) failed = CopyBytes(source, target, info.st_size);
  if (failed == 0) failed = SetMetadata(target, info);
  if (target >= 0) close(target);
  close(source);
  return failed;
}

int CopyFolder(int from, int to, const char* name, const struct stat& info, int depth) {
  if (depth >= kDepthMax) return -ELOOP;
  const int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
  if (mkdirat(to, name, 0700) != 0 && errno != EEXIST) {
    const int err = errno;
    close(source);
    return -err;
  }
  const int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int failed = target < 0 ? -errno : Copy(source, target, depth + 1);
  if (failed == 0) failed = SetMetadata(target, info);
  if (target >= 0) close(target);
  close(source);
  return failed;
}

int CopyLink(int from, int to, const char* name, const struct stat& info) {
  std::array<char, PATH_MAX> target;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the kernel
  const ssize_t length = readlinkat(from, name, target.data(), target.size() - 1);
  if (length < 0) return errno == ENOENT || errno == EINVAL ? 0 : -errno;
  target[static_cast<std::size_t>(length)] = 0;
  if (symlinkat(target.data(), to, name) != 0) return -errno;
  return fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int CopyEntry(int from, int to, const char* name, int depth) {
  if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) return 0;
  struct stat info {};
  if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : -errno;
  if (S_ISREG(info.st_mode)) return CopyFile(from, to, name, info);
  if (S_ISDIR(info.st_mode)) return CopyFolder(from, to, name, info, depth);
  if (S_ISLNK(info.st_mode)) return CopyLink(from, to, name, info);
  if (!S_ISFIFO(info.st_mode)) return 0;
  if (mkfifoat(to, name, info.st_mode & 07777U) != 0) return -errno;
  return fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

// Depth is bounded, so the recursion and its buffers fit the stack (64 * 8 KiB, of which a link's name adds
// one page).
int Copy(int from, int to, int depth) {
  alignas(DirectoryRecord) std::array<char, 4096>
      records;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the kernel
  for (;;) {
    const long filled = syscall(SYS_getdents64, from, records.data(), records.size());
    if (filled < 0) return -errno;
    if (filled == 0) return 0;
    for (long at = 0; at < filled;) {
      const auto* record = reinterpret_cast<const DirectoryRecord*>(records.data() + at);
      if (const int failed = CopyEntry(from, to, record->name, depth); failed != 0) return failed;
      at += record->length;
    }
  }
}

}  // namespace

int CopyTree(int from, int to) {
  // A descriptor of its own: the offset of `from` is its owner's.
  const int folder = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return -errno;
  const int failed = Copy(folder, to, 0);
  close(folder);
  return failed;
}

}  // namespace casemate
