#include "confine/file_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/errno.h"
#include "base/unique_fd.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

constexpr mode_t kFileMode = 0644;
constexpr mode_t kExecutableMode = 0755;
constexpr mode_t kFolderMode = 0755;

int Own(int root, const char* path, uid_t owner) {
  return fchownat(root, path, owner, owner, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int MakeFolder(int root, const char* path, uid_t owner) {
  if (mkdirat(root, path, kFolderMode) != 0) return errno == EEXIST ? 0 : -errno;
  return Own(root, path, owner);
}

// Makes every folder above the last "/" of `path`, which is changed and put back.
int MakeParents(int root, char* path, uid_t owner) {
  for (char* slash = std::strchr(path, '/'); slash != nullptr; slash = std::strchr(slash + 1, '/')) {
    *slash = '\0';
    const int failed = MakeFolder(root, path, owner);
    *slash = '/';
    if (failed != 0) return failed;
  }
  return 0;
}

int WriteData(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t count = write(fd, bytes, size);
    if (count < 0 && errno != EINTR) return -errno;
    if (count < 0) continue;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return 0;
}

class Receiver {
 public:
  Receiver(int root, uid_t owner) : root_(root), owner_(owner) {}

  // `payload` is NUL-terminated behind its `size` bytes.
  int Take(FileRecord kind, char* payload, std::size_t size) {
    switch (kind) {
      case FileRecord::kFolder: {
        const int failed = MakeParents(root_, payload, owner_);
        return failed != 0 ? failed : MakeFolder(root_, payload, owner_);
      }
      case FileRecord::kFile:
        return size < 2 ? -EPROTO : Open(payload + 1, payload[0] != 0);
      case FileRecord::kData:
        return WriteData(file_.get(), payload, size);
      case FileRecord::kSymlink:
        return Link(payload, size);
      case FileRecord::kEnd:
        return 0;
    }
    return -EPROTO;
  }

 private:
  int Open(char* path, bool executable) {
    if (const int failed = MakeParents(root_, path, owner_); failed != 0) return failed;
    file_.reset(OpenBeneath(root_, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
                            executable ? kExecutableMode : kFileMode));
    if (!file_.valid()) return -errno;
    return fchown(file_.get(), owner_, owner_) == 0 ? 0 : -errno;
  }

  int Link(char* payload, std::size_t size) const {
    const std::size_t length = strnlen(payload, size);
    if (length >= size) return -EPROTO;
    char* path = payload + length + 1;
    if (const int failed = MakeParents(root_, path, owner_); failed != 0) return failed;
    if (symlinkat(payload, root_, path) != 0) return -errno;
    return Own(root_, path, owner_);
  }

  int root_;
  uid_t owner_;
  UniqueFd file_;
};

}  // namespace

Expected<void> FileStreamWriter::Send(FileRecord kind, std::string_view first, std::string_view second) {
  char kind_byte = static_cast<char>(kind);
  std::array<iovec, 3> parts{iovec{&kind_byte, 1}, iovec{const_cast<char*>(first.data()), first.size()},
                             iovec{const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  while (sendmsg(socket_, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) {
      return FailErrno(ErrorCode::kInternal, "the sandbox ended while it was given its files", "sendmsg");
    }
  }
  return {};
}

Expected<void> FileStreamWriter::Folder(std::string_view path) { return Send(FileRecord::kFolder, path); }

Expected<void> FileStreamWriter::File(std::string_view path, bool executable, std::string_view bytes) {
  auto sent = Send(FileRecord::kFile, executable ? "\1" : std::string_view("\0", 1), path);
  for (; sent && !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kFileRecordBytesMax))) {
    sent = Send(FileRecord::kData, bytes.substr(0, kFileRecordBytesMax));
  }
  return sent;
}

Expected<void> FileStreamWriter::FileFrom(std::string_view path, bool executable, int fd) {
  auto sent = Send(FileRecord::kFile, executable ? "\1" : std::string_view("\0", 1), path);
  std::array<char, kFileRecordBytesMax> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (sent) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return FailErrno(ErrorCode::kInvalidRequest, "cannot read " + std::string(path) + " of the workspace",
                       "read " + std::string(path));
    }
    if (count == 0) break;
    sent = Send(FileRecord::kData, {buffer.data(), static_cast<std::size_t>(count)});
  }
  return sent;
}

Expected<void> FileStreamWriter::Symlink(std::string_view path, std::string_view target) {
  std::string first(target);
  first += '\0';
  return Send(FileRecord::kSymlink, first, path);
}

Expected<void> FileStreamWriter::End() { return Send(FileRecord::kEnd, {}); }

int ReceiveFiles(int socket, int root, unsigned owner) {
  std::array<char, kFileRecordBytesMax + 8192> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  Receiver receiver(root, owner);
  for (;;) {
    const ssize_t count = recv(socket, buffer.data(), buffer.size() - 1, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) return -EPIPE;
    buffer[static_cast<std::size_t>(count)] = '\0';
    const auto kind = static_cast<FileRecord>(buffer[0]);
    if (const int failed = receiver.Take(kind, buffer.data() + 1, static_cast<std::size_t>(count) - 1);
        failed != 0) {
      return failed;
    }
    if (kind == FileRecord::kEnd) return 0;
  }
}

}  // namespace casemate
