#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// What bytes of strangers are handled in: a child process that has given up what it does not need, and says
// so with no_new_privs, Landlock (where the kernel has it), a system call filter and resource limits.
struct Confinement {
  std::string writable;   // the one folder that it may write to; "" for no Landlock
  bool programs = false;  // may start further programs
  bool network = false;   // may open sockets
  std::int64_t memory_bytes = std::int64_t{4} << 30;
  std::int64_t cpu_s = 3600;
  std::int64_t file_bytes = std::int64_t{16} << 30;  // of one file
};

// Runs `work` in such a child of this process, which must have one thread, and returns what it returned.
// kInternal when the child dies.
Expected<std::string> RunConfined(const Confinement& confinement,
                                  const std::function<Expected<std::string>()>& work);

struct ConfinedCommand {
  std::vector<std::string> argv;           // argv[0] is an absolute path of a binary, not of a script
  std::map<std::string, std::string> env;  // the whole environment
  std::string working_dir;
  std::int64_t timeout_ms = 0;
  std::function<void(std::string_view line)> on_line;  // of its stdout, as they come; may be empty
};
struct ConfinedResult {
  int exit_code = 0;  // 128 + n after signal n
  std::string out;    // the last MiB
  std::string err;
};
// Runs a program of the host. Without `programs` it is the only one that starts: it, and what it loads, can
// replace itself by no other.
Expected<ConfinedResult> RunConfinedCommand(const Confinement& confinement, const ConfinedCommand& command);

}  // namespace casemate
