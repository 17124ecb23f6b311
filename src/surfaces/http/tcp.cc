#include "surfaces/http/tcp.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstring>

#include "base/errno.h"

namespace casemate::http {
namespace {

// The kernel has a limit of its own (net.core.somaxconn, usually 4096).
constexpr int kBacklog = 4096;

struct SocketName {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

std::unexpected<Error> NoAddress(std::string_view text) {
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("\"{}\" is no address to listen at: write 127.0.0.1:8080, [::1]:8080 or "
                          "0.0.0.0:8080",
                          text));
}

std::string NameOf(SocketName& name) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (name.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &name.storage, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &name.storage, sizeof v6);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
}

SocketName ToSocketName(const TcpAddress& address) {
  SocketName name;
  if (address.ipv6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
    std::memcpy(&name.storage, &v6, sizeof v6);
    name.size = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);
    std::memcpy(&name.storage, &v4, sizeof v4);
    name.size = sizeof v4;
  }
  return name;
}

void Set(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

Expected<TcpAddress> ParseTcpAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? "" : text.substr(0, colon);
  const std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
  TcpAddress address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return NoAddress(text);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) {
    address.host = host.substr(1, host.size() - 2);
    address.ipv6 = true;
    in6_addr v6{};
    if (::inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return NoAddress(text);
    address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    return address;
  }
  address.host = host;
  in_addr v4{};
  if (::inet_pton(AF_INET, address.host.c_str(), &v4) != 1) return NoAddress(text);
  address.loopback = ntohl(v4.s_addr) >> 24U == IN_LOOPBACKNET;
  return address;
}

Expected<TcpListener> TcpListener::Open(const TcpAddress& address) {
  SocketName name = ToSocketName(address);
  UniqueFd fd(::socket(address.ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.valid()) {
    Set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (address.ipv6) Set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  if (!fd.valid() || ::bind(fd.get(), name.get(), name.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return FailErrno(ErrorCode::kUnavailable,
                     fmt::format("an engine cannot listen at {}:{}: name an address of this host and a port "
                                 "that nobody has",
                                 address.host, address.port),
                     "bind");
  }
  SocketName real;
  if (::getsockname(fd.get(), real.get(), &real.size) != 0) {
    return FailErrno(ErrorCode::kInternal, "the port is not known: name one", "getsockname");
  }
  return TcpListener(std::move(fd), NameOf(real));
}

void TuneConnection(int fd) {
  Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  Set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

std::string PeerAddress(int fd) {
  SocketName name;
  if (::getpeername(fd, name.get(), &name.size) != 0) return "unknown";
  return NameOf(name);
}

}  // namespace casemate::http
