#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "casemate/doctor.h"
#include "casemate/engine.h"
#include "casemate/explain.h"

namespace casemate {

// The descriptors to read from and write to; not owned.
struct CliStreams {
  int in = 0;
  int out = 1;
  int err = 2;
};

// What the command line stands on, handed in so that its tests need no kernel.
struct CliServices {
  std::function<Expected<std::unique_ptr<Engine>>(const EngineOptions&)> make_engine;
  std::function<DoctorReport(const EngineOptions&)> diagnose;
  std::function<GarbageReport(const EngineOptions&)> collect_garbage;
  std::function<std::unique_ptr<SecretStore>(const SecretOptions&)> make_secrets;
  std::function<Expected<Explanation>(const EngineOptions&, const ExecutionRequest&)> explain;
  // `casemate serve WORDS...` (serve_command.h), or none: casemate-server beside this program.
  std::function<int(const std::vector<std::string>& words, const CliStreams&)> serve;
};

// The whole of `casemate WORDS...` and its exit code (exit_code.h). Sets signal handlers while a program
// runs, so only one at a time in a process.
int CliMain(const std::vector<std::string>& words, const CliServices& services, const CliStreams& streams);

}  // namespace casemate
