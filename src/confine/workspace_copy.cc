#include "confine/workspace_copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/errno.h"
#include "base/unique_fd.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr int kDepthMax = 64;

class TreeCopier {
 public:
  TreeCopier(const std::string& host_path, const Limits& limits, FileStreamWriter& writer)
      : host_path_(host_path), limits_(limits), writer_(writer) {}

  // Takes `folder`. Depth is bounded.
  Expected<void> Copy(UniqueFd folder, const std::string& path, int depth) {  // NOLINT(misc-no-recursion)
    if (depth > kDepthMax) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{}/{} is nested deeper than {} folders", host_path_, path, kDepthMax));
    }
    DIR* entries = fdopendir(folder.get());
    if (entries == nullptr) return FailErrno(ErrorCode::kInternal, "cannot read " + host_path_, "fdopendir");
    const int fd = folder.release();
    Expected<void> done;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
    for (const dirent* entry = readdir(entries); done && entry != nullptr; entry = readdir(entries)) {
      const std::string name = static_cast<const char*>(entry->d_name);
      if (name != "." && name != "..")
        done = CopyEntry(fd, name, path.empty() ? name : path + "/" + name, depth);
    }
    closedir(entries);
    return done;
  }

 private:
  Expected<void> CopyEntry(int folder, const std::string& name, const std::string& path,
                           int depth) {  // NOLINT(misc-no-recursion)
    struct stat info {};
    if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};  // gone meanwhile
    if (S_ISLNK(info.st_mode)) return CopyLink(folder, name, path);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return {};
    if (auto fits = Count(path, S_ISREG(info.st_mode) ? info.st_size : 0); !fits) return fits;
    const int flags =
        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (S_ISDIR(info.st_mode) ? O_DIRECTORY : 0);
    UniqueFd fd(openat(folder, name.c_str(), flags));
    if (!fd.valid()) {
      return FailErrno(ErrorCode::kInvalidRequest,
                       fmt::format("cannot read {}/{} of the workspace", host_path_, path), "open " + path);
    }
    if (S_ISREG(info.st_mode)) return writer_.FileFrom(path, (info.st_mode & S_IXUSR) != 0, fd.get());
    auto done = writer_.Folder(path);
    return done ? Copy(std::move(fd), path, depth + 1) : done;
  }

  Expected<void> CopyLink(int folder, const std::string& name, const std::string& path) {
    std::array<char, 4096> target{};
    const ssize_t length = readlinkat(folder, name.c_str(), target.data(), target.size());
    if (length <= 0) return {};
    return writer_.Symlink(path, {target.data(), static_cast<std::size_t>(length)});
  }

  Expected<void> Count(const std::string& path, std::int64_t size) {
    bytes_ += size;
    ++files_;
    if (bytes_ > limits_.tmp_bytes) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("the workspace {} does not fit into {} bytes (at {}); give more with --tmp-size, or "
                      "use the mode `ro`",
                      host_path_, limits_.tmp_bytes, path));
    }
    if (files_ > limits_.tmp_files_max) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the workspace {} has more than {} files; use the mode `ro`", host_path_,
                              limits_.tmp_files_max));
    }
    return {};
  }

  const std::string& host_path_;
  const Limits& limits_;
  FileStreamWriter& writer_;
  std::int64_t bytes_ = 0;
  std::int64_t files_ = 0;
};

}  // namespace

Expected<void> CopyWorkspace(const std::string& host_path, const Limits& limits, FileStreamWriter& writer) {
  UniqueFd root(OpenWithoutLinks(host_path.c_str(), O_RDONLY | O_DIRECTORY));
  if (!root.valid()) {
    return FailErrno(
        errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalidRequest,
        fmt::format("cannot read the workspace {}; check the path and its permissions", host_path),
        "open " + host_path);
  }
  return TreeCopier(host_path, limits, writer).Copy(std::move(root), "", 0);
}

Expected<void> SendGivenFiles(const LaunchSpec& spec, int socket) {
  FileStreamWriter writer(socket);
  Expected<void> done;
  if (spec.workspace && spec.workspace->mode == WorkspaceMode::kCopy)
    done = CopyWorkspace(spec.workspace->host_path, spec.policy.limits, writer);
  for (const InputFile& file : spec.files) {
    if (done) done = writer.File(file.name, false, file.bytes);
  }
  return done ? writer.End() : done;
}

}  // namespace casemate
