#pragma once

#include <memory>
#include <vector>

#include "casemate/secret.h"

namespace casemate {

// A value that a store keeps for a while, and may give to the next run too. What was made of it can be hung
// onto it, to end with it and not later. Hanging is not thread-safe.
class KeptSecret {
 public:
  static std::shared_ptr<const SecretValue> Keep(SecretValue value) {
    return {new SecretValue(std::move(value)), Deleter{}};
  }
  static bool Is(const std::shared_ptr<const SecretValue>& value) {
    return std::get_deleter<Deleter>(value) != nullptr;
  }
  // Of a kept one. The last few are held.
  static void Hang(const std::shared_ptr<const SecretValue>& value, std::shared_ptr<const void> made) {
    auto& held = std::get_deleter<Deleter>(value)->held;
    if (held.size() == kHeldMax) held.erase(held.begin());
    held.push_back(std::move(made));
  }

 private:
  static constexpr std::size_t kHeldMax = 4;
  struct Deleter {
    std::vector<std::shared_ptr<const void>> held;
    void operator()(const SecretValue* value) {
      held.clear();
      delete value;
    }
  };
};

}  // namespace casemate
