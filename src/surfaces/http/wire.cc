#include "surfaces/http/wire.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace casemate::http {

bool WaitFor(int fd, short events, std::int64_t timeout_ms) {
  const Deadline deadline = Deadline::After(timeout_ms);
  pollfd entry{fd, events, 0};
  for (;;) {
    constexpr std::int64_t kMax = std::numeric_limits<int>::max();
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min(deadline.RemainingMs(), kMax)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

void Wire::EndWriting() { ::shutdown(fd_, SHUT_WR); }

Wire::Io PlainWire::Read(std::span<char> room) {
  for (;;) {
    const ssize_t count = ::recv(fd(), room.data(), room.size(), MSG_DONTWAIT);
    if (count > 0) return {static_cast<std::size_t>(count), 0};
    if (count < 0 && errno == EINTR) continue;
    return {0, static_cast<short>(count < 0 && errno == EAGAIN ? POLLIN : 0)};
  }
}

Wire::Io PlainWire::Write(std::string_view head, std::string_view body) {
  // sendmsg(2) only reads what they point to.
  std::array<iovec, 2> parts{iovec{const_cast<char*>(head.data()), head.size()},
                             iovec{const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  for (;;) {
    const ssize_t count = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) return {static_cast<std::size_t>(count), 0};
    if (count < 0 && errno == EINTR) continue;
    return {0, static_cast<short>(count < 0 && errno == EAGAIN ? POLLOUT : 0)};
  }
}

}  // namespace casemate::http
