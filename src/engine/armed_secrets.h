#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "casemate/redactor.h"
#include "casemate/secret.h"

namespace casemate {

// What finds the values of a run's secrets in all that it lets out. To make it costs more than all else of a
// secret, so that of values which the store keeps is kept too, for the next run with the same ones; it ends
// with the values. Thread-safe.
class ArmedSecrets {
 public:
  // Null for none.
  std::shared_ptr<const KnownValues> For(std::span<const ResolvedSecret> secrets);

  // The same without keeping it.
  static std::shared_ptr<const KnownValues> Make(std::span<const ResolvedSecret> secrets);

 private:
  struct Part {
    std::string name;
    std::weak_ptr<const SecretValue> value;
  };
  struct Kept {
    std::vector<Part> parts;
    std::weak_ptr<const KnownValues> known;  // the first value holds it
  };
  static bool IsOf(const Kept& kept, std::span<const ResolvedSecret> secrets);

  std::mutex mutex_;
  std::vector<Kept> kept_;  // the oldest first
};

}  // namespace casemate
