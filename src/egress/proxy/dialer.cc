#include "egress/proxy/dialer.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/errno.h"
#include "egress/proxy/stream.h"

namespace casemate::egress {
namespace {

constexpr std::int64_t kOneAddressMs = 4'000;

Address FromSocketAddress(const sockaddr* from) {
  if (from->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, from, sizeof(four));
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &four.sin_addr, bytes.size());
    return Address::V4(bytes);
  }
  sockaddr_in6 six{};
  std::memcpy(&six, from, sizeof(six));
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
  return Address::V6(bytes);
}

socklen_t ToSocketAddress(const Address& address, std::uint16_t port, sockaddr_storage& storage) {
  if (address.v4()) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&four.sin_addr, address.bytes().data(), sizeof(four.sin_addr));
    std::memcpy(&storage, &four, sizeof(four));
    return sizeof(four);
  }
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  std::memcpy(&six.sin6_addr, address.bytes().data(), sizeof(six.sin6_addr));
  std::memcpy(&storage, &six, sizeof(six));
  return sizeof(six);
}

// 0 or an errno.
int Connect(const Address& address, std::uint16_t port, std::int64_t wait_ms, UniqueFd& fd) {
  fd.reset(socket(address.v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_storage storage{};
  const socklen_t size = ToSocketAddress(address, port, storage);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!WaitFor(fd.get(), POLLOUT, wait_ms)) return ETIMEDOUT;
  int error = 0;
  socklen_t error_size = sizeof(error);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) return errno;
  return error;
}

std::vector<Address> Ask(const char* name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo(name, nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    const Address address = FromSocketAddress(at->ai_addr);
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  return addresses;
}

}  // namespace

std::vector<Address> SystemResolver::Resolve(const std::string& name) {
  // With a final dot first: then no search list of the host's makes another name of it. /etc/hosts has none.
  std::vector<Address> addresses = Ask((name + ".").c_str());
  return addresses.empty() ? Ask(name.c_str()) : addresses;
}

std::vector<Address> Dialer::Find(const Destination& destination) const {
  if (destination.address) return {*destination.address};
  if (const auto* known = settings_.allow.AddressesOf(destination.host)) return *known;
  return resolver_.Resolve(destination.host);
}

std::optional<Dialed> Dialer::Dial(const Destination& destination, NoConnection& why) const {
  const auto refuse = [&](const Verdict& verdict) {
    journal_.Refused(destination.ToString(), verdict);
    why = {true, verdict.reason, verdict.remedy};
    return std::nullopt;
  };
  if (const Verdict asked = settings_.allow.MayAsk(destination); !asked) return refuse(asked);
  const std::vector<Address> found = Find(destination);
  std::vector<Address> allowed;
  Verdict last;
  for (const Address& address : found) {
    const Verdict verdict = settings_.allow.MayConnect(destination, address);
    if (verdict) {
      allowed.push_back(address);
    } else {
      last = verdict;
    }
  }
  if (allowed.empty() && !last) return refuse(last);
  std::string reason = "the name is not known";
  const Deadline deadline = Deadline::After(settings_.patience.connect_ms);
  for (const Address& address : allowed) {
    Dialed dialed{UniqueFd(), address};
    const int failed =
        Connect(address, destination.port, std::min(deadline.RemainingMs(), kOneAddressMs), dialed.fd);
    if (failed == 0) {
      journal_.Allowed(destination, address);
      return dialed;
    }
    reason = fmt::format("{} cannot be reached: {}", address.ToString(), ErrnoName(failed));
    if (deadline.Passed()) break;
  }
  journal_.Failed(destination, reason);
  why = {false, reason, "check that it is up, and what the host itself can reach"};
  return std::nullopt;
}

}  // namespace casemate::egress
