// link: egress_rules base model
// The first bytes that a program sends into a tunnel.
#include <cstddef>
#include <cstdint>
#include <span>

#include "egress/rules/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using casemate::egress::ClientHello;
  const std::span<const std::uint8_t> bytes(data, size);
  const ClientHello hello = casemate::egress::ReadClientHello(bytes);
  if (hello.state != ClientHello::State::kWhole) {
    if (hello.has_name) __builtin_trap();
    return 0;
  }
  if (hello.has_name == hello.server_name.empty()) __builtin_trap();
  // What is whole was not taken for wrong before its last byte came.
  if (casemate::egress::ReadClientHello(bytes.first(size - 1)).state == ClientHello::State::kInvalid)
    __builtin_trap();
  return 0;
}
