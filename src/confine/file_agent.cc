#include "confine/file_agent.h"

#include <dirent.h>
#include <fcntl.h>
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
#include <csignal>
#include <cstring>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/utf8.h"
#include "confine/privileges.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr std::size_t kPathMax = 4096;
constexpr std::size_t kDepthMax = 64;
// A folder of the host may hold anything; a sandbox's own tmpfs has fewer by its inode limit.
constexpr std::size_t kFilesMax = 100'000;

// ---- The child: no allocation, no lock; it was forked from a process that may have threads. ----

// getdents64(2)'s record; the C library's readdir allocates.
struct DirectoryRecord {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  unsigned char type;
  char name[1];  // NOLINT(modernize-avoid-c-arrays): kernel ABI
};

class TreeWalker {
 public:
  explicit TreeWalker(int socket) : socket_(socket) {}

  // Depth is bounded, so the recursion and its buffers fit the stack (64 * 8 KiB).
  void Walk(int folder, std::size_t path_length, std::size_t depth) {  // NOLINT(misc-no-recursion)
    alignas(DirectoryRecord) std::array<char, 8192>
        records;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (;;) {
      const long filled = syscall(SYS_getdents64, folder, records.data(), records.size());
      if (filled <= 0) return;
      for (long at = 0; at < filled;) {
        const auto* record = reinterpret_cast<const DirectoryRecord*>(records.data() + at);
        Visit(folder, record->name, path_length, depth);
        at += record->length;
      }
    }
  }

 private:
  void Visit(int folder, const char* name, std::size_t path_length,
             std::size_t depth) {  // NOLINT(misc-no-recursion)
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0 || files_ >= kFilesMax) return;
    const std::size_t length = std::strlen(name);
    if (path_length + length + 2 > path_.size()) return;
    std::memcpy(path_.data() + path_length, name, length + 1);
    struct stat info {};
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(info.st_mode)) {
      SendFile(folder, name, path_length + length);
    } else if (S_ISDIR(info.st_mode) && depth < kDepthMax) {
      const int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (inner < 0) return;
      path_[path_length + length] = '/';
      Walk(inner, path_length + length + 1, depth + 1);
      close(inner);
    }
  }

  void SendFile(int folder, const char* name, std::size_t path_length) {
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    ++files_;
    // ETOOMANYREFS: the engine has not taken the earlier ones yet.
    int sent = 0;
    while ((sent = SendDescriptors(socket_, std::as_bytes(std::span(path_).first(path_length)), {&fd, 1})) ==
           -ETOOMANYREFS) {
      usleep(1000);
    }
    if (sent != 0) _exit(1);
    close(fd);
  }

  int socket_;
  std::size_t files_ = 0;
  std::array<char, kPathMax> path_{};
};

struct AgentTask {
  int socket;
  int folder;
  int user_namespace;
  uid_t uid;
  bool change_ids;
  pid_t engine;
};

[[noreturn]] void RunChild(const AgentTask& task) {
  const auto [socket, folder, user_namespace, uid, change_ids, engine] = task;
  std::array<int, 3> keep{socket, folder, user_namespace};
  std::ranges::sort(keep);
  CloseAllBut(std::span<const int>(keep).subspan(user_namespace < 0 ? 1U : 0U));
  if (user_namespace >= 0 && setns(user_namespace, CLONE_NEWUSER) != 0) _exit(1);
  if (change_ids && TakeIds(uid, true) != 0) _exit(1);
  if (DropCapabilities() != 0) _exit(1);
  // Last, because a change of ids clears it (prctl(2)).
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != engine) _exit(1);
  TreeWalker(socket).Walk(folder, 0, 0);
  _exit(0);
}

// ---- The engine's side. ----

struct ReceivedFile {
  std::string path;
  UniqueFd fd;
};

// False at the end of the stream. An error when a file came without its descriptor: the engine has no number
// left for one (unix(7), MSG_CTRUNC).
Expected<bool> Receive(int socket, ReceivedFile& file) {
  std::array<char, kPathMax> path{};
  int fd = -1;
  std::size_t fd_count = 0;
  const ssize_t count =
      ReceiveDescriptors(socket, std::as_writable_bytes(std::span(path)), {&fd, 1}, fd_count);
  if (count == 0) return false;
  if (count < 0 || fd_count != 1) {
    return Fail(ErrorCode::kInternal,
                "cannot collect the files; raise the limit of open files with ulimit -n");
  }
  file.path.assign(path.data(), static_cast<std::size_t>(count));
  file.fd.reset(fd);
  return true;
}

// The content, unless it is more than `bytes_left`: a file is whole or left out.
OutputFile ReadOutput(ReceivedFile& file, std::int64_t& bytes_left) {
  OutputFile output;
  output.name = ReplaceInvalidUtf8(file.path);
  struct stat info {};
  if (fstat(file.fd.get(), &info) == 0) output.size_bytes = info.st_size;
  output.truncated = output.size_bytes > bytes_left;
  if (output.truncated) return output;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (static_cast<std::int64_t>(output.bytes.size()) < output.size_bytes) {
    const ssize_t count = read(file.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    output.bytes.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (static_cast<std::int64_t>(output.bytes.size()) > output.size_bytes) {
    output.bytes.resize(static_cast<std::size_t>(output.size_bytes));
  }
  output.size_bytes = static_cast<std::int64_t>(output.bytes.size());
  bytes_left -= output.size_bytes;
  return output;
}

}  // namespace

Expected<std::vector<OutputFile>> CollectFiles(int folder, int user_namespace, uid_t uid, bool change_ids,
                                               const std::function<bool(std::string_view)>& wanted,
                                               std::int64_t bytes_max) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot collect the files", "socketpair");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const AgentTask task{theirs.get(), folder, user_namespace, uid, change_ids, getpid()};
  const pid_t child = ForkAlone();
  if (child < 0) return FailErrno(ErrorCode::kInternal, "cannot collect the files", "clone");
  if (child == 0) RunChild(task);
  theirs.reset();

  std::vector<OutputFile> files;
  ReceivedFile file;
  auto more = Receive(ours.get(), file);
  for (; more && *more; more = Receive(ours.get(), file)) {
    if (!wanted(file.path)) continue;
    // A name takes memory like content.
    bytes_max = std::max<std::int64_t>(0, bytes_max - static_cast<std::int64_t>(file.path.size()));
    files.push_back(ReadOutput(file, bytes_max));
    if (bytes_max == 0) break;
  }
  // An agent that still has files to give then ends by itself.
  const bool stopped_early = more && *more;
  ours.reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!more) return std::unexpected(more.error());
  if (!stopped_early && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
    return Fail(ErrorCode::kInternal, "cannot collect the files",
                "the file agent could not enter the sandbox");
  }
  std::ranges::sort(files, {}, &OutputFile::name);
  return files;
}

}  // namespace casemate
