// link: confine base
// A socket address read from the memory of a sandboxed program.
#include <cstddef>
#include <cstdint>
#include <span>

#include "confine/seccomp_sockaddr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using casemate::PeerAddress;
  const PeerAddress peer = casemate::ReadPeerAddress(std::as_bytes(std::span(data, size)));
  if ((peer.reach == PeerAddress::Reach::kNetwork) == peer.text.empty()) __builtin_trap();
  if (peer.port < 0 || peer.port > 65535) __builtin_trap();
  for (const char c : peer.text) {
    if (c <= ' ' || c > '~') __builtin_trap();
  }
  return 0;
}
