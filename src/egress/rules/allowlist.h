#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/network.h"
#include "egress/rules/destination.h"

namespace casemate::egress {

// The answer to one question; a refusal says why, and what to change.
struct Verdict {
  bool allowed = true;
  std::string reason;
  std::string remedy;
  explicit operator bool() const { return allowed; }
};

// What a run may reach. Pure: no I/O, no clock; thread-safe once made. A connection is asked about three
// times, and goes ahead when all say yes: by what the program named, by the address that this resolved to,
// and, where the rules tell requests apart, by each request.
class Allowlist {
 public:
  // kInvalidRequest with one sentence that quotes the faulty text and says what it may be.
  static Expected<Allowlist> Make(const NetworkPolicy& network);

  Verdict MayAsk(const Destination& destination) const;
  // `address`: what the destination's name resolved to, or its own address. An address of special purpose
  // (SpecialPurpose) must be named by a rule of its own, as itself or in a range.
  Verdict MayConnect(const Destination& destination, const Address& address) const;
  // Whether some rule for it allows every request, so that a tunnel may carry what nobody looks at.
  bool AllowsAnyRequest(const Destination& destination) const;
  // `target` is the path with its query, as sent.
  Verdict MayRequest(const Destination& destination, std::string_view method, std::string_view target) const;

  // The names, with a leading "." for all below one, of the rules with methods or paths: their TLS is looked
  // into.
  std::vector<std::string> NamesLookedInto() const;

  // The addresses that the policy has for a name; null: ask DNS.
  const std::vector<Address>* AddressesOf(const std::string& name) const;

 private:
  struct Ports {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
  };
  struct Rule {
    std::string name;  // exact, or with a leading "." all below it; empty: `range`
    AddressRange range;
    std::vector<Ports> ports;
    std::vector<std::string> methods;
    std::vector<std::string> paths;
  };
  static Expected<Rule> ReadRule(const NetworkRule& given);
  static bool HasPort(const Rule& rule, std::uint16_t port);
  static bool Matches(const Rule& rule, const Destination& destination);
  static bool AllowsRequest(const Rule& rule, std::string_view method, std::string_view path);

  std::vector<Rule> rules_;
  std::map<std::string, std::vector<Address>, std::less<>> hosts_;
};

}  // namespace casemate::egress
