#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "casemate/error.h"

namespace casemate {

struct CommandOptions {
  std::int64_t timeout_ms = 20'000;
  std::size_t bytes_max = 1 << 20;         // of stdout and stderr each; more is an error
  std::map<std::string, std::string> env;  // the whole environment beside PATH and LANG=C.UTF-8
  std::string stdin_bytes;                 // read from its start
  bool in_our_group = false;               // who interrupts us at a terminal interrupts it as well
};

struct CommandResult {
  int exit_code = 0;  // 128 + n after signal n
  std::string out;
  std::string err;
};

// Runs a program of the host (never one of the caller's) and waits for it. On a timeout it is killed, with
// its process group where that is its own. Errors: kNotFound when argv[0] is not there, kInternal otherwise.
// A non-zero exit is not an error.
Expected<CommandResult> RunCommand(const std::vector<std::string>& argv, const CommandOptions& options = {});

}  // namespace casemate
