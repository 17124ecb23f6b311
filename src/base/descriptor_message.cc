#include "base/descriptor_message.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace casemate {
namespace {

// Room for any message's descriptors, aligned as cmsg(3) wants it.
struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsInMessageMax * sizeof(int))> space{};
};

}  // namespace

int SendDescriptors(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
  if (fds.size() > kDescriptorsInMessageMax) return -EMSGSIZE;
  // sendmsg(2) does not write to them; the interface predates const.
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.space.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const attached = CMSG_FIRSTHDR(&header);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(attached), fds.data(), fds.size_bytes());
  }
  ssize_t count = 0;
  do {
    count = sendmsg(socket, &header, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  return static_cast<std::size_t>(count) == bytes.size() ? 0 : -EMSGSIZE;
}

ssize_t ReceiveDescriptors(int socket, std::span<std::byte> bytes, std::span<int> fds, std::size_t& fd_count,
                           int flags) {
  fd_count = 0;
  iovec part{bytes.data(), bytes.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.space.data();
  header.msg_controllen = control.space.size();
  ssize_t count = 0;
  do {
    count = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  const cmsghdr* const attached = CMSG_FIRSTHDR(&header);
  std::array<int, kDescriptorsInMessageMax> received{};
  std::size_t taken = 0;
  if (attached != nullptr && attached->cmsg_type == SCM_RIGHTS) {
    taken = (attached->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(received.data(), CMSG_DATA(attached), taken * sizeof(int));
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0 || taken > fds.size()) {
    for (std::size_t i = 0; i < taken; ++i) close(received[i]);
    return -EMSGSIZE;
  }
  std::copy_n(received.begin(), taken, fds.begin());
  fd_count = taken;
  return count;
}

}  // namespace casemate
