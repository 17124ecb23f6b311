#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/engine.h"
#include "casemate/secret_store.h"
#include "environments/host_environment.h"

namespace casemate {

namespace audit {
class Writer;
}

// What an engine is made of; compose.cc chooses, tests choose otherwise.
struct EngineParts {
  std::vector<std::unique_ptr<Backend>> backends;  // strongest first
  HostEnvironmentOptions environment;
  std::unique_ptr<SecretStore> secrets;
  std::string state_dir;
  std::shared_ptr<audit::Writer> audit;  // null records nothing: for tests and measurements alone
  bool resident = false;                 // it stays, and keeps warm what it runs
  std::size_t sessions_max = 1000;
  std::string why_no_more_sessions = "no more are allowed: close some";
};
std::unique_ptr<Engine> MakeEngineOf(EngineParts parts);

}  // namespace casemate
