#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate::secrets {

struct CommandSecret {
  SecretValue text;
  int exit_code = 0;  // 128+n for signal n
};

// Runs `argv` (its first word is looked for in PATH, as execvp(3) does) with this process's environment and
// rights, in a process group of its own that is gone afterwards, and reads what it prints into locked memory,
// without one newline at its end.
// It has no input and no descriptor of ours; what it says on stderr is dropped, since it may hold a secret.
// `who` begins each message ("the command of a cmd: reference"). kUnavailable when it cannot be started, does
// not end until `deadline`, or prints more than `bytes_max` bytes.
Expected<CommandSecret> RunForSecret(std::span<const std::string> argv, std::string_view who,
                                     std::size_t bytes_max, const Deadline& deadline);

}  // namespace casemate::secrets
