#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// What a key may do. A request needs the scope of its route, and those of what it asks for.
enum class Scope : std::uint32_t {
  kNone = 0,                 // nothing is needed: a route that is open to all
  kRun = 1U << 0U,           // "run": programs, one at a time, and ends of its own runs
  kBatch = 1U << 1U,         // "batch": many programs in one request
  kSessions = 1U << 2U,      // "sessions": live sandboxes, their files and forks
  kChecks = 1U << 3U,        // "checks": looks at code without running it
  kRedact = 1U << 4U,        // "redact": cleans text
  kAudit = 1U << 5U,         // "audit": reads who ran what
  kMetrics = 1U << 6U,       // "metrics": counters, health and what runs now
  kEnvironments = 1U << 7U,  // "environments": lists and makes them
  kHost = 1U << 8U,      // "host": names folders and files of this host in a request; as strong as its user
  kSecrets = 1U << 9U,   // "secrets": names secrets of this host's stores in a request
  kNetwork = 1U << 11U,  // "network": names hosts in a request that its program may reach
  kAdmin = 1U << 10U,    // "admin": all of these, and other callers' runs
};

// A set of scopes.
class Scopes {
 public:
  constexpr Scopes() = default;
  constexpr explicit Scopes(Scope scope) : bits_(static_cast<std::uint32_t>(scope)) {}

  // Everything, for a peer that is this engine's own user.
  static constexpr Scopes All() { return Scopes(Scope::kAdmin); }
  constexpr bool Has(Scope scope) const {
    const auto bit = static_cast<std::uint32_t>(scope);
    return (bits_ & bit) == bit || (bits_ & static_cast<std::uint32_t>(Scope::kAdmin)) != 0;
  }
  constexpr void Add(Scope scope) { bits_ |= static_cast<std::uint32_t>(scope); }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(Scopes, Scopes) = default;

 private:
  std::uint32_t bits_ = 0;
};

// The stable name of one scope; "" for kNone.
std::string_view ScopeName(Scope scope);
// "run,batch"; kInvalidRequest, with the names there are, for a word that is none and for no word at all.
Expected<Scopes> ParseScopes(std::string_view text);
// The inverse, in a fixed order.
std::string FormatScopes(Scopes scopes);
// Each scope's name with what it allows, a line each, for help texts.
std::string ScopesHelp();

}  // namespace casemate
