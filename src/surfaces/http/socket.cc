#include "surfaces/http/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"

namespace casemate::http {
namespace {

// The kernel has a limit of its own (net.core.somaxconn, usually 4096).
constexpr int kBacklog = 4096;
// For an engine whose queue of peers is full, which a burst of clients fills for an instant.
constexpr std::int64_t kQueueMs = 2000;
constexpr useconds_t kQueueRetryUs = 5000;

struct Address {
  sockaddr_un name{};
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  socklen_t size() const { return sizeof name; }
};

Expected<Address> AddressOf(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.name.sun_path || path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("a socket's path has 1 to {} bytes, and \"{}\" has {}: use a shorter one",
                            sizeof address.name.sun_path - 1, path, path.size()));
  }
  std::memcpy(address.name.sun_path, path.data(), path.size());
  return address;
}

// Of POSIX's kind, not of an open file: a child that still holds a copy of the descriptor when its engine was
// killed does not hold the lock.
struct flock WholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool SameFile(int fd, const std::string& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

std::unexpected<Error> InUse(int fd, const std::string& path) {
  struct flock holder = WholeFile();
  std::string who = "another engine";
  if (::fcntl(fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK && holder.l_pid > 0) {
    who += fmt::format(" (process {})", holder.l_pid);
  }
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("{} listens at {} already: use that one, end it, or name another path with --socket", who,
                  path));
}

// The lock's file is removed when an engine ends, so one that was locked may no longer be the one that is
// there.
Expected<UniqueFd> Lock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  for (;;) {
    auto fd = OpenFile(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the folder of {} must be one that you may write to", path), fd.error().cause);
    }
    struct flock lock = WholeFile();
    if (::fcntl(fd->get(), F_SETLK, &lock) != 0) {
      if (errno == EACCES || errno == EAGAIN) return InUse(fd->get(), path);
      return FailErrno(ErrorCode::kInternal, "the engine's socket cannot be locked", "fcntl " + lock_path);
    }
    if (SameFile(fd->get(), lock_path)) return *std::move(fd);
  }
}

// A socket that does not block says EAGAIN of a full queue (unix(7)), and poll(2) cannot wait for room in it.
int ConnectPatiently(int fd, const Address& address) {
  const Deadline deadline = Deadline::After(kQueueMs);
  for (;;) {
    if (::connect(fd, address.get(), address.size()) == 0) return 0;
    if (errno != EAGAIN || deadline.Passed()) return -1;
    ::usleep(kQueueRetryUs);
  }
}

}  // namespace

std::string DefaultSocketPath() {
  if (::geteuid() == 0) return "/run/casemate/engine.sock";
  const char* folder = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe): never set here
  if (folder == nullptr || folder[0] != '/') return {};
  return std::string(folder) + "/casemate/engine.sock";
}

std::optional<uid_t> PeerUid(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

Expected<Listener> Listener::Open(const std::string& path) {
  if (auto address = AddressOf(path); !address) return std::unexpected(address.error());
  if (const std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    if (auto made = MakeFolders(path.substr(0, slash), 0700); !made) return std::unexpected(made.error());
  }
  auto lock = Lock(path);
  if (!lock) return std::unexpected(lock.error());
  Listener listener(path, *std::move(lock));
  if (auto bound = listener.Bind(); !bound) return std::unexpected(bound.error());
  return listener;
}

Expected<void> Listener::Bind() {
  struct stat there {};
  if (::lstat(path_.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} is there and is no socket: name another path", path_));
    }
    ::unlink(path_.c_str());
  }
  const auto address = AddressOf(path_);
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode of the socket becomes the mode of its file, so that it is never open to others.
  if (!socket_.valid() || ::fchmod(socket_.get(), 0600) != 0 ||
      ::bind(socket_.get(), address->get(), address->size()) != 0 || ::listen(socket_.get(), kBacklog) != 0) {
    return FailErrno(ErrorCode::kInternal, fmt::format("an engine cannot listen at {}", path_),
                     "bind " + path_);
  }
  return {};
}

void Listener::Close() {
  if (!lock_.valid()) return;
  if (socket_.valid()) ::unlink(path_.c_str());
  ::unlink((path_ + ".lock").c_str());
  socket_.reset();
  lock_.reset();
}

Expected<UniqueFd> Connect(const std::string& path) {
  const auto address = AddressOf(path);
  if (!address) return std::unexpected(address.error());
  // Not blocking: an engine that is stopped must not stop its clients too.
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || ConnectPatiently(fd.get(), *address) != 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    return FailErrno(nobody ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                     fmt::format("no engine answers at {}: start one with casemate serve", path),
                     "connect " + path);
  }
  const auto peer = PeerUid(fd.get());
  if (!peer || (*peer != 0 && *peer != ::geteuid())) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the engine at {} belongs to another user: start your own with casemate serve", path));
  }
  return fd;
}

}  // namespace casemate::http
