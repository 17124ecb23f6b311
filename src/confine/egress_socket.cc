#include "confine/egress_socket.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace casemate {
namespace {

constexpr int kBacklog = 512;

int RaiseLoopback(int socket) {
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return ioctl(socket, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

}  // namespace

int ListenOnLoopback(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int failed = RaiseLoopback(listener);
  if (failed == 0 && bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    failed = -errno;
  if (failed == 0 && listen(listener, kBacklog) != 0) failed = -errno;
  if (failed == 0) return listener;
  close(listener);
  return failed;
}

}  // namespace casemate
