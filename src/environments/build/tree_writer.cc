#include "environments/build/tree_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/errno.h"

namespace casemate {
namespace {

constexpr std::size_t kPathMax = 4096;
constexpr int kDepthMax = 64;
constexpr mode_t kFolderMode = 0755;

std::unexpected<Error> Hostile(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

std::unexpected<Error> Failed(std::string_view path, std::string_view call) {
  const int err = errno;
  if (err == ENOSPC || err == EDQUOT) {
    return FailErrno(ErrorCode::kUnavailable,
                     "the disk is full while the environment is unpacked: make room, or use --state-dir",
                     call, err);
  }
  const bool hostile = err == EXDEV || err == ELOOP || err == ENOTDIR || err == EEXIST || err == ENAMETOOLONG;
  return FailErrno(hostile ? ErrorCode::kInvalidRequest : ErrorCode::kInternal,
                   fmt::format("{} of the archive cannot be written", path), call, err);
}

// Deletes what is at `name` in `folder`, without following a link.
bool Delete(int folder, const char* name, int depth) {
  if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) return true;
  if ((errno != EISDIR && errno != EPERM) || depth > 2 * kDepthMax) return false;
  const int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(fd), closedir);
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view one = entry->d_name;
    if (one != "." && one != ".." && !Delete(fd, entry->d_name, depth + 1)) return false;
  }
  return unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

}  // namespace

Expected<std::string> TreeWriter::CheckPath(std::string_view path) {
  const std::string shown(path.substr(0, 200));
  if (path.starts_with('/')) return Hostile(fmt::format("the archive has the absolute path {}", shown));
  if (path.size() > kPathMax) return Hostile("the archive has a path of more than 4096 bytes");
  if (path.contains('\0')) return Hostile("the archive has a path with a zero byte in it");
  std::string clean;
  int depth = 0;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part == "..") return Hostile(fmt::format("the archive has a path that leaves it: {}", shown));
    if (part.empty() || part == ".") continue;
    if (part.size() > 255 || ++depth > kDepthMax) {
      return Hostile(fmt::format("the archive has a path that is too long or too deep: {}", shown));
    }
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

Expected<void> TreeWriter::Count(std::int64_t bytes, std::int64_t files) {
  if (bytes < 0 || bytes > limits_.bytes_max - bytes_) {
    return Hostile(
        fmt::format("the archive unpacks to more than {} bytes: it may be a bomb; raise --max-bytes "
                    "if it is not",
                    limits_.bytes_max));
  }
  if (files > limits_.files_max - files_) {
    return Hostile(
        fmt::format("the archive has more than {} files: it may be a bomb; raise --max-files if it "
                    "is not",
                    limits_.files_max));
  }
  bytes_ += bytes;
  files_ += files;
  return {};
}

Expected<UniqueFd> TreeWriter::OpenFolder(const std::string& path, bool make) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  how.resolve |= links_ == TreeLinks::kInRoot ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const auto open = [&](const std::string& part) {
    return UniqueFd(
        static_cast<int>(syscall(SYS_openat2, root_, part.empty() ? "." : part.c_str(), &how, sizeof how)));
  };
  UniqueFd fd = open(path);
  if (fd.valid() || errno != ENOENT || !make) {
    if (!fd.valid()) return Failed(path, "openat2");
    return fd;
  }
  const std::size_t slash = path.rfind('/');
  auto parent = OpenFolder(slash == std::string::npos ? "" : path.substr(0, slash), make);
  if (!parent) return parent;
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (auto counted = Count(0, 1); !counted) return std::unexpected(counted.error());
  // A link that leads to nothing is in the way; it is not followed to make its target.
  if (mkdirat(parent->get(), name.c_str(), kFolderMode) != 0) return Failed(path, "mkdirat");
  fd = open(path);
  if (!fd.valid()) return Failed(path, "openat2");
  return fd;
}

Expected<TreeWriter::Place> TreeWriter::Find(const std::string& path, bool make) {
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  if (parent != parent_path_) {
    auto opened = OpenFolder(parent, make);
    if (!opened) return std::unexpected(opened.error());
    parent_ = *std::move(opened);
    parent_path_ = parent;
  }
  return Place{parent_.get(), path.substr(slash == std::string::npos ? 0 : slash + 1)};
}

Expected<void> TreeWriter::Folder(const std::string& path, mode_t mode) {
  if (path.empty()) return {};
  auto place = Find(path, true);
  if (!place) return std::unexpected(place.error());
  struct stat info {};
  const bool there = fstatat(place->folder, place->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISDIR(info.st_mode)) {
    if (links_ == TreeLinks::kNone) {
      return Hostile(fmt::format("the archive has {} as a file and as a folder", path));
    }
    // A link to a folder stays what it is, as in /lib -> usr/lib.
    if (S_ISLNK(info.st_mode) && OpenFolder(path, false)) return {};
    if (auto removed = Remove(path); !removed) return removed;
  }
  if (!there || !S_ISDIR(info.st_mode)) {
    if (auto counted = Count(0, 1); !counted) return counted;
    if (mkdirat(place->folder, place->name.c_str(), kFolderMode) != 0) return Failed(path, "mkdirat");
  }
  // Ours to write in, whatever the archive says.
  if (fchmodat(place->folder, place->name.c_str(), (mode & 0777) | 0700, 0) != 0)
    return Failed(path, "fchmodat");
  return {};
}

Expected<UniqueFd> TreeWriter::File(const std::string& path, mode_t mode, bool replace) {
  auto place = Find(path, true);
  if (!place) return std::unexpected(place.error());
  if (auto counted = Count(0, 1); !counted) return std::unexpected(counted.error());
  if (replace) {
    if (auto removed = Remove(path); !removed) return std::unexpected(removed.error());
    place = Find(path, true);
    if (!place) return std::unexpected(place.error());
  }
  UniqueFd fd(openat(place->folder, place->name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     mode & 0777));
  if (!fd.valid() && errno == EEXIST) {
    return Hostile(fmt::format("the archive has {} twice", path));
  }
  if (!fd.valid()) return Failed(path, "openat");
  // Without the umask.
  if (fchmod(fd.get(), mode & 0777) != 0) return Failed(path, "fchmod");
  return fd;
}

Expected<void> TreeWriter::Symlink(const std::string& path, const std::string& target) {
  if (links_ == TreeLinks::kNone) return Hostile(fmt::format("the archive has a symbolic link: {}", path));
  if (target.empty() || target.size() > kPathMax) {
    return Hostile(fmt::format("the archive has a symbolic link without a sensible target: {}", path));
  }
  if (auto removed = Remove(path); !removed) return removed;
  auto place = Find(path, true);
  if (!place) return std::unexpected(place.error());
  if (auto counted = Count(0, 1); !counted) return counted;
  if (symlinkat(target.c_str(), place->folder, place->name.c_str()) != 0) return Failed(path, "symlinkat");
  return {};
}

Expected<void> TreeWriter::Hardlink(const std::string& path, const std::string& target) {
  if (links_ == TreeLinks::kNone) return Hostile(fmt::format("the archive has a hard link: {}", path));
  const std::size_t slash = target.rfind('/');
  auto folder = OpenFolder(slash == std::string::npos ? "" : target.substr(0, slash), false);
  const std::string name = target.substr(slash == std::string::npos ? 0 : slash + 1);
  struct stat info {};
  if (!folder || fstatat(folder->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
      (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))) {
    return Hostile(fmt::format("the archive has a hard link {} to {}, which is no file of it", path, target));
  }
  if (path == target) return {};
  if (auto removed = Remove(path); !removed) return removed;
  auto place = Find(path, true);
  if (!place) return std::unexpected(place.error());
  if (auto counted = Count(0, 1); !counted) return counted;
  if (linkat(folder->get(), name.c_str(), place->folder, place->name.c_str(), 0) != 0)
    return Failed(path, "linkat");
  return {};
}

Expected<void> TreeWriter::Remove(const std::string& path) {
  auto place = Find(path, true);
  if (!place) return std::unexpected(place.error());
  if (!Delete(place->folder, place->name.c_str(), 0)) return Failed(path, "unlinkat");
  // The folder that was open may be gone with it.
  parent_path_ = "/";
  return {};
}

Expected<void> TreeWriter::Empty(const std::string& path) {
  auto fd = OpenFolder(path, false);
  if (!fd) return {};
  const int copy = openat(fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return Failed(path, "openat");
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(copy), closedir);
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !Delete(fd->get(), entry->d_name, 0)) return Failed(path, "unlinkat");
  }
  parent_path_ = "/";
  return {};
}

}  // namespace casemate
