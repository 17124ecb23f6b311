#include "egress/proxy/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/clock.h"

namespace casemate::egress {

bool WaitFor(int fd, short events, std::int64_t wait_ms) {
  const Deadline deadline = Deadline::After(wait_ms);
  for (;;) {
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(deadline.RemainingMs()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

ssize_t SocketStream::Read(std::span<char> into, std::int64_t wait_ms) {
  for (;;) {
    const ssize_t count = recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (!WaitFor(fd_, POLLIN, wait_ms)) return -ETIMEDOUT;
  }
}

bool SocketStream::Write(std::string_view bytes, std::int64_t wait_ms) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      if (!WaitFor(fd_, POLLOUT, wait_ms)) return false;
    } else if (count == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace casemate::egress
