#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"

namespace casemate {

struct HostEnvironmentOptions {
  std::string python;     // a path or a name to look up in PATH; "" means $CASEMATE_PYTHON, then python3
  std::string state_dir;  // for the cache; "" means no cache
  std::int64_t probe_timeout_ms = 20'000;
};

// What `casemate doctor` says of the host's interpreter.
struct PythonInfo {
  std::string path;     // as it is started in the sandbox
  std::string version;  // "3.11.2"
  std::string prefix;   // sys.prefix
};

// The host's interpreter and libraries, as a sandbox sees them at their own paths. Asks the interpreter once
// and keeps its answer below state_dir/cache; a cache that cannot be written costs only time. The caller's
// own site-packages (~/.local) are not part of it.
// Errors: kNotFound when there is no interpreter, kUnavailable when it cannot be used in a sandbox.
Expected<EnvironmentView> FindHostEnvironment(const HostEnvironmentOptions& options);

Expected<PythonInfo> FindPython(const HostEnvironmentOptions& options);

// The host's programs and libraries without an interpreter, for commands. `python` and sys_path are empty.
EnvironmentView BareHostEnvironment();

}  // namespace casemate
