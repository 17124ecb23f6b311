#pragma once

#include <cstdint>

#include "casemate/network.h"
#include "egress/rules/allowlist.h"

namespace casemate::egress {

// How long each step may take. What ends a whole run is its own deadline.
struct Patience {
  std::int64_t head_ms = 10'000;  // a request's head, a SOCKS greeting or a ClientHello, from its first byte
  std::int64_t connect_ms = 10'000;  // all addresses of a name together
  std::int64_t answer_ms = 120'000;  // the head of a response
  std::int64_t idle_ms = 120'000;    // between two bytes of a body or a tunnel, and between two requests
};

// The longest head of a request or a response.
inline constexpr std::size_t kHeadBytesMax = 64 * std::size_t{1024};

struct ProxySettings {
  Allowlist allow;
  NetworkLimits limits;
  Patience patience;
};

}  // namespace casemate::egress
