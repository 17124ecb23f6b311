#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "engine/flow.h"

namespace casemate {

// The environments that an engine's runs ask for. An engine that stays looks at the host again once a second
// at most, and has its backends keep warm what it finds. Thread-safe.
class EnvironmentSource {
 public:
  explicit EnvironmentSource(const EngineParts& parts) : parts_(parts) {}

  struct Found {
    EnvironmentView view;
    std::vector<RootFile> harness;  // empty without an interpreter
    std::vector<RootFile> zygote;   // of an engine that stays
  };
  // kInvalidRequest for an unknown name; kNotFound and kUnavailable as FindHostEnvironment. A command needs
  // no interpreter.
  Expected<std::shared_ptr<const Found>> Find(const std::string& name, bool needs_python);

 private:
  Expected<std::shared_ptr<const Found>> Look(bool needs_python) const;

  const EngineParts& parts_;
  std::mutex mutex_;
  std::shared_ptr<const Found> last_;
  std::int64_t looked_at_us_ = 0;
};

}  // namespace casemate
