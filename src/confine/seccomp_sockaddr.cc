#include "confine/seccomp_sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace casemate {
namespace {

// The kernel takes IPv6 addresses without the scope id, too (SIN6_LEN_RFC2133).
constexpr std::size_t kShortIpv6Size = 24;

std::string Endpoint(int family, const void* address, int port) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(family, address, text, sizeof(text));
  const std::string host = family == AF_INET6 ? "[" + std::string(text) + "]" : std::string(text);
  return host + ":" + std::to_string(port);
}

PeerAddress Ipv4(std::span<const std::byte> bytes) {
  sockaddr_in address = {};
  if (bytes.size() < sizeof(address)) return {};
  std::memcpy(&address, bytes.data(), sizeof(address));
  PeerAddress peer;
  peer.reach = PeerAddress::Reach::kNetwork;
  peer.loopback = (ntohl(address.sin_addr.s_addr) >> 24) == 127;
  peer.port = ntohs(address.sin_port);
  peer.text = Endpoint(AF_INET, &address.sin_addr, peer.port);
  return peer;
}

PeerAddress Ipv6(std::span<const std::byte> bytes) {
  sockaddr_in6 address = {};
  if (bytes.size() < kShortIpv6Size) return {};
  std::memcpy(&address, bytes.data(), bytes.size() < sizeof(address) ? bytes.size() : sizeof(address));
  PeerAddress peer;
  peer.reach = PeerAddress::Reach::kNetwork;
  const bool mapped_loopback =
      IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) != 0 && address.sin6_addr.s6_addr[12] == 127;
  peer.loopback = mapped_loopback || IN6_IS_ADDR_LOOPBACK(&address.sin6_addr) != 0;
  peer.port = ntohs(address.sin6_port);
  peer.text = Endpoint(AF_INET6, &address.sin6_addr, peer.port);
  return peer;
}

}  // namespace

PeerAddress ReadPeerAddress(std::span<const std::byte> bytes) {
  sa_family_t family = AF_UNSPEC;
  if (bytes.size() < sizeof(family)) return {};
  std::memcpy(&family, bytes.data(), sizeof(family));
  switch (family) {
    case AF_INET:
      return Ipv4(bytes);
    case AF_INET6:
      return Ipv6(bytes);
    case AF_UNIX:
    case AF_UNSPEC: {
      PeerAddress peer;
      peer.reach = PeerAddress::Reach::kLocal;
      return peer;
    }
    default:
      return {};
  }
}

}  // namespace casemate
