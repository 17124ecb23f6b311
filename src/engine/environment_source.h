#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "engine/flow.h"
#include "environments/reference.h"

namespace casemate {

// The environments that an engine's runs ask for. One that was not built yet is built by casemate-env, and
// the run waits. An engine that stays looks at each again once a second at most, and has its backends keep
// warm what it finds. Thread-safe.
class EnvironmentSource {
 public:
  explicit EnvironmentSource(const EngineParts& parts) : parts_(parts) {}

  struct Found {
    std::string name;  // as results have it: "host", or the reference with "@sha256:" and the hash
    EnvironmentView view;
    std::vector<RootFile> harness;  // empty without an interpreter
    std::vector<RootFile> zygote;   // of an engine that stays
  };
  // kInvalidRequest for what is no environment or cannot be built; kNotFound and kUnavailable as
  // FindHostEnvironment. A command needs no interpreter.
  Expected<std::shared_ptr<const Found>> Find(const std::string& name, bool needs_python);

 private:
  Expected<std::shared_ptr<const Found>> Look(const std::string& name, bool needs_python) const;
  Expected<EnvironmentView> LookAtHost(const EnvironmentReference& reference, bool needs_python) const;
  Expected<EnvironmentView> LookAtBuilt(const EnvironmentReference& reference, const std::string& name) const;
  // What was found lately; null when it must be looked at again.
  std::shared_ptr<const Found> Recent(const std::string& name);
  void Remember(const std::string& name, std::shared_ptr<const Found> found);

  struct Known {
    std::shared_ptr<const Found> found;
    std::int64_t looked_at_us = 0;
  };

  const EngineParts& parts_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

}  // namespace casemate
