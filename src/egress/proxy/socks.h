#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "egress/rules/destination.h"

namespace casemate::egress {

// The two messages of a SOCKS5 client (RFC 1928, 3 and 4), read from the start of `bytes`, which may be
// hostile.
struct SocksRead {
  enum class State { kMore, kRead, kInvalid };
  State state = State::kMore;
  std::size_t used = 0;  // of `bytes`, when read
};
struct SocksGreeting : SocksRead {
  bool offers_no_authentication = false;
};
SocksGreeting ReadSocksGreeting(std::span<const std::uint8_t> bytes);

inline constexpr std::uint8_t kSocksConnect = 1;
struct SocksRequest : SocksRead {
  std::uint8_t command = 0;
  std::optional<Destination> destination;  // nothing where it names no host that there can be
  std::string text;                        // as sent, printable; for messages
};
SocksRequest ReadSocksRequest(std::span<const std::uint8_t> bytes);

}  // namespace casemate::egress
