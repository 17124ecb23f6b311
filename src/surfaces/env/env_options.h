#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/build/build.h"

namespace casemate {

// The words of `casemate env`, understood.
struct EnvOptions {
  std::string command;             // one of kCommands, or "help"
  std::vector<std::string> names;  // references, made absolute, or hashes
  BuildOptions build;
  std::string output;                        // "" for stdout
  std::optional<std::int64_t> older_than_s;  // of prune
  bool all = false;
  bool json = false;
  bool quiet = false;
  bool machine = false;  // another program of ours asks: see EncodeBuilderAnswer
};

// kInvalidRequest with one sentence.
Expected<EnvOptions> ParseEnvOptions(const std::vector<std::string>& words);
std::string EnvHelp();

}  // namespace casemate
