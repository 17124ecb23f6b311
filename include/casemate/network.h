#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// What a program may reach by the egress proxy (src/egress/), its only way out.

// One destination of an allowlist. `destination` is HOST[:PORTS]:
//   HOST   a name ("api.example.com"), every name below one ("*.example.com", not the name itself), an
//   address
//          or a range of them ("192.0.2.7", "10.0.0.0/8", "[2001:db8::/32]")
//   PORTS  "443", "8000-8080", or "*" for all; 80 and 443 when absent
// With methods or paths the proxy looks at each HTTP request. A path is whole ("/v1/items") or, with a final
// "*", the beginning of one ("/v1/*").
struct NetworkRule {
  std::string destination;
  std::vector<std::string> methods;  // "GET"; empty: any
  std::vector<std::string> paths;    // empty: any
  friend bool operator==(const NetworkRule&, const NetworkRule&) = default;
};

struct NetworkLimits {
  std::int64_t connections_max = 64;  // at one time, 1 to 512
  // Of the whole run, both directions together, from 1.
  std::int64_t bytes_max = std::int64_t{1} << 30;
  std::int64_t bytes_per_second = 0;  // both directions together; 0: as fast as it goes
  friend bool operator==(const NetworkLimits&, const NetworkLimits&) = default;
};

struct NetworkPolicy {
  std::vector<NetworkRule> allow;  // empty: no network at all
  // Names that are not asked of DNS: their addresses. The allowlist judges both all the same.
  std::map<std::string, std::vector<std::string>> hosts;
  NetworkLimits limits;
  bool open() const { return !allow.empty(); }
  friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;
};

// "none", or "allow:HOST[:PORTS],HOST[:PORTS],...". Whether a destination is one, the engine says later.
Expected<NetworkPolicy> ParseNetworkText(std::string_view text);

// One destination that a run has asked for, and what came of it.
struct NetworkAttempt {
  std::string destination;  // "api.example.com:443", as asked for
  std::string address;      // where the proxy connected to; empty when it did not
  bool allowed = false;
  std::string reason;  // of a refusal or a failure
  std::int64_t count = 1;
  std::int64_t bytes_sent = 0;  // by the program
  std::int64_t bytes_received = 0;
  friend bool operator==(const NetworkAttempt&, const NetworkAttempt&) = default;
};

// In a sandbox's own network namespace, on 127.0.0.1.
inline constexpr int kEgressPort = 3128;

}  // namespace casemate
