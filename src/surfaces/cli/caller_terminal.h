#pragma once

#include <memory>

#include "casemate/error.h"
#include "casemate/request.h"
#include "surfaces/cli/cli.h"
#include "surfaces/cli/run_options.h"

namespace casemate {

// The terminal of whoever typed the command, lent to a program in a sandbox: as long as one lives, what is
// typed goes there as it comes, Ctrl-C among it, and its size is followed. The destructor puts back what was,
// and throws away what was typed and not read, such as answers that the program had asked the terminal for.
// One at a time in a process.
class CallerTerminal {
 public:
  virtual ~CallerTerminal() = default;
  virtual Terminal terminal() const = 0;

  // `in` has to be a terminal where it is `forwarded`: with a pipe there would be nobody at the keyboard. The
  // size is that of `out` or `in`, whichever is a terminal. Errors: kInvalidRequest.
  static Expected<std::unique_ptr<CallerTerminal>> Lend(int in, int out, bool forwarded);
};

// The same for a command line's request, where it asks for one; otherwise nothing happens.
Expected<void> LendTerminal(const RunOptions& options, const CliStreams& streams, ExecutionRequest& request,
                            std::unique_ptr<CallerTerminal>& lent);

}  // namespace casemate
