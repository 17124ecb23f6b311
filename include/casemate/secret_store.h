#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate {

struct SecretOptions {
  std::int64_t timeout_ms = 15'000;  // of one reference, with its retries
  // How long a value may be used again, by scheme; 0 for never. Others have their provider's own time.
  std::map<std::string, std::int64_t> ttl_ms;
};

// What became of one reference; never the value.
struct SecretFinding {
  enum class State { kFound, kMissing, kFailed };
  std::string reference;
  State state = State::kMissing;
  std::string detail;  // why it is missing, or what failed
};

// Finds values of secrets where they already are. Thread-safe.
class SecretStore {
 public:
  virtual ~SecretStore() = default;

  // Whether every reference is well formed; nothing is looked up. kInvalidRequest names the secret.
  virtual Expected<void> Check(std::span<const SecretRequest> requests) const = 0;

  // All of them, or the first error: kNotFound when no reference of a secret has a value, with what to do
  // about each; otherwise the failure of the provider that is named in it. Remote ones are asked side by
  // side. Blocks for at most the time-out of each reference.
  virtual Expected<std::vector<ResolvedSecret>> Resolve(std::span<const SecretRequest> requests) = 0;

  // What the owners of these secrets should change, for people: one sentence each, without values.
  virtual std::vector<std::string> Advise(std::span<const std::string> references) const = 0;

  // Tells of each reference by itself whether it resolves.
  virtual std::vector<SecretFinding> Look(std::span<const std::string> references) = 0;

  // The forms that references have, one each: "env:NAME".
  virtual std::vector<std::string> Forms() const = 0;
};

std::unique_ptr<SecretStore> MakeSecretStore(const SecretOptions& options);

}  // namespace casemate
