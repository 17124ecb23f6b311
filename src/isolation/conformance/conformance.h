#pragma once

#include <functional>
#include <memory>
#include <string>

#include "casemate/backend.h"

namespace casemate::conformance {

// How a tier is set up for the suite.
struct Subject {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  // What its sandboxes see; must have /bin/sh and the usual commands.
  EnvironmentView environment;
  // Why this host cannot run the tier, or "" when it can; then every test is skipped with it.
  std::function<std::string()> unavailable = [] { return std::string(); };
};

// Registers the suite for `subject` with GoogleTest, as "Conformance/<name>.<test>". Call before
// RUN_ALL_TESTS, for instance from a static initialiser.
void Register(const Subject& subject);

}  // namespace casemate::conformance
