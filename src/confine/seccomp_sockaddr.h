#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace casemate {

// A socket address as a sandboxed program passed it: any bytes, at most a sockaddr_storage is looked at.
struct PeerAddress {
  enum class Reach {
    kLocal,    // a Unix socket, or no address (AF_UNSPEC)
    kNetwork,  // TCP or UDP over IPv4 or IPv6
    kInvalid,  // shorter than its family needs, or of another family
  };
  Reach reach = Reach::kInvalid;
  bool loopback = false;
  int port = 0;      // 0 to 65535; of kNetwork only
  std::string text;  // "192.0.2.1:443", "[2001:db8::1]:443"; of kNetwork only, printable ASCII
};

PeerAddress ReadPeerAddress(std::span<const std::byte> bytes);

}  // namespace casemate
