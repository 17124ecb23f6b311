#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/errno.h"
#include "base/file.h"
#include "environments/build/image_unpack.h"

namespace casemate {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;

class RootCopier {
 public:
  explicit RootCopier(TreeWriter& tree) : tree_(tree), block_(kBlockBytes, '\0') {}

  Expected<void> Folder(int parent, const char* name, const std::string& path) {
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fd < 0 ? nullptr : fdopendir(fd), closedir);
    if (entries == nullptr) return Unreadable(path, "openat");
    while (const dirent* const entry = readdir(entries.get())) {
      const std::string_view one = entry->d_name;
      if (one == "." || one == "..") continue;
      auto done = Entry(fd, entry->d_name, path.empty() ? std::string(one) : fmt::format("{}/{}", path, one));
      if (!done) return done;
    }
    return {};
  }

 private:
  static std::unexpected<Error> Unreadable(const std::string& path, std::string_view call) {
    return FailErrno(ErrorCode::kInvalidRequest, fmt::format("{} of the folder cannot be read", path), call);
  }

  Expected<void> Entry(int parent, const char* name, const std::string& path) {
    struct stat info {};
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Unreadable(path, "fstatat");
    if (S_ISDIR(info.st_mode)) {
      if (auto made = tree_.Folder(path, info.st_mode & 0777); !made) return made;
      return Folder(parent, name, path);
    }
    if (S_ISLNK(info.st_mode)) {
      std::array<char, PATH_MAX> target{};
      const ssize_t length = readlinkat(parent, name, target.data(), target.size());
      if (length < 0) return Unreadable(path, "readlinkat");
      return tree_.Symlink(path, std::string(target.data(), static_cast<std::size_t>(length)));
    }
    if (S_ISREG(info.st_mode)) return File(parent, name, path, info.st_mode & 0777);
    // Each sandbox has a /dev of its own.
    if (path.starts_with("dev/")) return {};
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the folder has {} as a device, pipe or socket: such are refused", path));
  }

  Expected<void> File(int parent, const char* name, const std::string& path, mode_t mode) {
    const UniqueFd from(openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!from.valid()) return Unreadable(path, "openat");
    auto to = tree_.File(path, mode, true);
    if (!to) return std::unexpected(to.error());
    for (;;) {
      const ssize_t count = read(from.get(), block_.data(), block_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return Unreadable(path, "read");
      if (count == 0) return {};
      if (auto counted = tree_.Count(count, 0); !counted) return counted;
      if (auto done = WriteAll(to->get(), {block_.data(), static_cast<std::size_t>(count)}, path); !done)
        return done;
    }
  }

  TreeWriter& tree_;
  std::string block_;
};

}  // namespace

Expected<void> CopyRoot(int from, TreeWriter& tree) { return RootCopier(tree).Folder(from, ".", ""); }

}  // namespace casemate
