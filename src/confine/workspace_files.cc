#include "confine/workspace_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <string>
#include <vector>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/unique_fd.h"
#include "base/utf8.h"
#include "confine/id_pool.h"
#include "confine/privileges.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

using Kind = FileRequest::Kind;

constexpr std::size_t kEntriesMax = 10'000;
constexpr int kUnknown = 255;

// ---- The child: no allocation, no lock; it was forked from a process that may have threads. ----

struct Place {
  std::string path;                  // "a/b/c"
  std::string parent;                // "a/b", or "."
  std::string name;                  // "c"
  std::vector<std::string> folders;  // "a", "a/b"
};

struct Task {
  WorkspaceFolder workspace;
  Kind kind;
  const Place& place;
  const Place& to;
  int socket;
  pid_t engine;
};

int OpenBeneath(int folder, const char* path, int flags, unsigned mode = 0) {
  open_how how{};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));
    // Something was renamed meanwhile, and the kernel could not be sure.
    if (fd < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    return static_cast<int>(fd);
  }
}

int Require(int result) {
  if (result < 0) _exit(std::min(errno, kUnknown));
  return result;
}

int OpenParent(const Task& task, const Place& place) {
  return Require(OpenBeneath(task.workspace.folder, place.parent.c_str(), O_PATH | O_DIRECTORY));
}

void MakeFolders(const Task& task) {
  for (const std::string& folder : task.place.folders) {
    const int there = OpenBeneath(task.workspace.folder, folder.c_str(), O_PATH | O_DIRECTORY);
    if (there >= 0) {
      close(there);
      continue;
    }
    const std::size_t slash = folder.rfind('/');
    const char* const name = folder.c_str() + (slash == std::string::npos ? 0 : slash + 1);
    int parent = task.workspace.folder;
    if (slash != std::string::npos) {
      // One of the folders before this one.
      const auto before = static_cast<std::size_t>(&folder - task.place.folders.data()) - 1;
      parent = Require(
          OpenBeneath(task.workspace.folder, task.place.folders[before].c_str(), O_PATH | O_DIRECTORY));
    }
    if (mkdirat(parent, name, 0777) != 0 && errno != EEXIST) Require(-1);
    if (parent != task.workspace.folder) close(parent);
  }
}

void Give(const Task& task, int fd) {
  constexpr std::array kByte = {std::byte{'f'}};
  const int sent = SendDescriptors(task.socket, kByte, {&fd, 1});
  if (sent != 0) _exit(kUnknown);
}

void RemoveEntry(int parent, const char* name) {
  struct stat info {};
  Require(fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW));
  Require(unlinkat(parent, name, S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0));
}

[[noreturn]] void RunAgent(const Task& task) {
  std::array<int, 3> keep{task.socket, task.workspace.folder, task.workspace.user_namespace};
  std::ranges::sort(keep);
  CloseAllBut(keep);
  Require(setns(task.workspace.user_namespace, CLONE_NEWUSER));
  if (task.workspace.change_ids && TakeIds(kProgramId, true) != 0) _exit(kUnknown);
  if (DropCapabilities() != 0) _exit(kUnknown);
  // Last, because a change of ids clears it (prctl(2)).
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != task.engine) _exit(kUnknown);
  const int folder = task.workspace.folder;
  const char* const path = task.place.path.c_str();
  umask(022);
  switch (task.kind) {
    case Kind::kPut:
      MakeFolders(task);
      // Cut to nothing by the engine, once it has seen that it is a regular file.
      Give(task, Require(OpenBeneath(folder, path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644)));
      break;
    case Kind::kGet:
      Give(task, Require(OpenBeneath(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY)));
      break;
    case Kind::kList:
      Give(task, Require(OpenBeneath(folder, path, O_RDONLY | O_DIRECTORY)));
      break;
    case Kind::kStat:
      Give(task, Require(OpenBeneath(folder, path, O_PATH | O_NOFOLLOW)));
      break;
    case Kind::kMove: {
      const int from = OpenParent(task, task.place);
      const int to = OpenParent(task, task.to);
      Require(renameat(from, task.place.name.c_str(), to, task.to.name.c_str()));
      break;
    }
    case Kind::kRemove:
      RemoveEntry(OpenParent(task, task.place), task.place.name.c_str());
      break;
  }
  _exit(0);
}

// ---- The engine's side. ----

Expected<Place> Parse(const std::string& path, bool may_be_root) {
  Place place{path, ".", "", {}};
  if (path.empty() && may_be_root) {
    place.path = ".";
    return place;
  }
  const auto bad = [&path] {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" is no path below the workspace: use a relative one without . and ..",
                            ReplaceInvalidUtf8(path)));
  };
  if (path.empty() || path.size() >= PATH_MAX / 2 || path.find('\0') != std::string::npos) return bad();
  for (std::size_t at = 0;;) {
    const std::size_t slash = path.find('/', at);
    place.name = path.substr(at, slash == std::string::npos ? slash : slash - at);
    if (place.name.empty() || place.name == "." || place.name == ".." || place.name.size() > NAME_MAX)
      return bad();
    if (slash == std::string::npos) break;
    place.parent = path.substr(0, slash);
    place.folders.push_back(place.parent);
    at = slash + 1;
  }
  return place;
}

std::unexpected<Error> Explain(const std::string& path, int err) {
  switch (err) {
    case ENOENT:
    case ENOTDIR:
      return Fail(ErrorCode::kNotFound, fmt::format("there is no \"{}\" in the workspace", path));
    case EXDEV:
    case ELOOP:
      return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" leads out of the workspace", path));
    case ENOTEMPTY:
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the folder \"{}\" is not empty: remove what is in it first", path));
    case EISDIR:
      return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" is a folder", path));
    case ENXIO:
    case EINVAL:
      return Fail(ErrorCode::kInvalidRequest, fmt::format("this cannot be done to \"{}\"", path));
    case EACCES:
    case EPERM:
    case EROFS:
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the session's own user may not do this to \"{}\"", path));
    case ENOSPC:
    case EDQUOT:
      return Fail(ErrorCode::kUnavailable,
                  "the workspace is full: remove files, or open a session with more "
                  "(the limits tmp_bytes and tmp_files_max)");
    default:
      return FailErrno(ErrorCode::kInternal, "cannot use the workspace", "workspace agent", err);
  }
}

FileInfo InfoOf(std::string name, const struct stat& status) {
  FileInfo info;
  info.name = std::move(name);
  info.kind = S_ISREG(status.st_mode)   ? FileInfo::Kind::kFile
              : S_ISDIR(status.st_mode) ? FileInfo::Kind::kFolder
              : S_ISLNK(status.st_mode) ? FileInfo::Kind::kLink
                                        : FileInfo::Kind::kOther;
  info.size_bytes = S_ISREG(status.st_mode) ? status.st_size : 0;
  info.modified_at_ms = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  return info;
}

Expected<void> Write(int fd, const FileRequest& request) {
  if (ftruncate(fd, 0) != 0) return Explain(request.path, errno);
  std::string_view left = request.bytes;
  while (!left.empty()) {
    const ssize_t count = write(fd, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int err = errno;
      (void)!ftruncate(fd, 0);
      return Explain(request.path, err);
    }
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Expected<FileAnswer> Read(int fd, const FileRequest& request) {
  FileAnswer answer;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Explain(request.path, errno);
    if (count == 0) return answer;
    answer.bytes.append(buffer.data(), static_cast<std::size_t>(count));
    if (static_cast<std::int64_t>(answer.bytes.size()) > request.bytes_max) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" has more than {} bytes: read it in a step",
                                                          request.path, request.bytes_max));
    }
  }
}

Expected<FileAnswer> List(UniqueFd fd) {
  FileAnswer answer;
  DIR* const folder = fdopendir(fd.get());
  if (folder == nullptr) return FailErrno(ErrorCode::kInternal, "cannot list the workspace", "fdopendir");
  (void)fd.release();
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name == "." || name == "..") continue;
    struct stat status {};
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (answer.entries.size() >= kEntriesMax) {
      closedir(folder);
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the folder has more than {} entries: list it in a step", kEntriesMax));
    }
    answer.entries.push_back(InfoOf(ReplaceInvalidUtf8(name), status));
  }
  closedir(folder);
  std::ranges::sort(answer.entries, {}, &FileInfo::name);
  return answer;
}

Expected<FileAnswer> Finish(UniqueFd fd, const FileRequest& request) {
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return Explain(request.path, errno);
  if (request.kind == Kind::kList) return List(std::move(fd));
  if (request.kind == Kind::kStat) return FileAnswer{"", {InfoOf(request.path, status)}};
  if (S_ISDIR(status.st_mode)) return Explain(request.path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" is no regular file", request.path));
  }
  if (request.kind == Kind::kGet) return Read(fd.get(), request);
  if (auto written = Write(fd.get(), request); !written) return std::unexpected(written.error());
  return FileAnswer{"", {InfoOf(request.path, status)}};
}

}  // namespace

Expected<FileAnswer> UseWorkspace(const WorkspaceFolder& workspace, const FileRequest& request) {
  const auto place = Parse(request.path, request.kind == Kind::kList || request.kind == Kind::kStat);
  if (!place) return std::unexpected(place.error());
  const auto to = Parse(request.to, request.kind != Kind::kMove);
  if (!to) return std::unexpected(to.error());
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const Task task{workspace, request.kind, *place, *to, theirs.get(), getpid()};
  const pid_t agent = ForkAlone();
  if (agent < 0) return FailErrno(ErrorCode::kInternal, "cannot use the workspace", "clone");
  if (agent == 0) RunAgent(task);
  theirs.reset();
  std::array<std::byte, 1> byte{};
  int fd = -1;
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(ours.get(), byte, {&fd, 1}, count);
  UniqueFd given(count == 1 ? fd : -1);
  int status = 0;
  while (waitpid(agent, &status, 0) < 0 && errno == EINTR) {
  }
  const int err = WIFEXITED(status) ? WEXITSTATUS(status) : kUnknown;
  if (err != 0) return Explain(request.path, err);
  if (request.kind == Kind::kMove || request.kind == Kind::kRemove) return FileAnswer{};
  if (got != 1 || !given.valid()) return Explain(request.path, kUnknown);
  return Finish(std::move(given), request);
}

}  // namespace casemate
