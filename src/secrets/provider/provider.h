#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate::secrets {

// What a provider found at a place.
struct Fetched {
  std::optional<SecretValue> value;  // unset: it is not there, and the next reference is asked
  std::string missing;      // then: what to do so that it is; a clause, "set it with export NAME=..."
  std::int64_t ttl_ms = 0;  // how long the value may be used again
};

// One kind of place where secrets are: a folder of src/secrets/ and a line of catalog.cc. Thread-safe.
class Provider {
 public:
  virtual ~Provider() = default;

  virtual std::string_view scheme() const = 0;  // "env"
  virtual std::string_view form() const = 0;    // "env:NAME", for help and messages
  // It waits for others; then several are asked side by side.
  virtual bool waits() const { return false; }

  // Whether `place` is well formed; nothing is looked up.
  virtual Expected<void> Check(std::string_view place) const = 0;

  // What the secret's owner should change there; "" for nothing. For people who ask, not for each run.
  virtual std::string Advise(std::string_view /*place*/) const { return {}; }

  // Looks there, until `deadline` at most. `place` has passed Check(). An error is the provider's own failure
  // (unreachable, forbidden, malformed) in one sentence that names the place and the remedy, and never the
  // value.
  virtual Expected<Fetched> Fetch(std::string_view place, const Deadline& deadline) = 0;
};

}  // namespace casemate::secrets
