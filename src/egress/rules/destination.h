#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "egress/rules/address.h"

namespace casemate::egress {

// Where a program wants to go, as it said: hostile text made uniform.
struct Destination {
  std::string
      host;  // a name in lower case without a final dot, or an address as Address::ToString() writes it
  std::optional<Address> address;  // set when it named an address
  std::uint16_t port = 0;          // 1 to 65535

  std::string ToString() const;  // "api.example.com:443", "[2001:db8::1]:443"
};

// A host name as DNS has it: letters, digits, "-" and "_" in labels of 1 to 63, at most 253 in all, one final
// dot left out, in lower case. Nothing for any other text, and for a name whose last label is a number
// ("127.1", "0x7f000001"): some resolvers read those as addresses.
std::optional<std::string> NormalHostName(std::string_view text);

// Nothing when `host` is neither a name nor an address (an IPv6 one with or without brackets), or the port is
// 0.
std::optional<Destination> MakeDestination(std::string_view host, std::uint16_t port);

// "HOST:PORT", "[ADDRESS]:PORT"; HOST alone where `default_port` is not 0.
std::optional<Destination> ParseAuthority(std::string_view text, std::uint16_t default_port);

std::optional<std::uint16_t> ParsePort(std::string_view text);  // 1 to 65535, digits alone

}  // namespace casemate::egress
