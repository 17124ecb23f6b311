#pragma once

#include "surfaces/cli/cli.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// `casemate run --batch`; the exit code: 0 when every item has its result line, whatever its status; 125 for
// a failure of our own, 126 and 127 for what cannot be begun, 128 and the signal's number when interrupted.
int RunBatchCommand(const RunOptions& options, const CliServices& services, const CliStreams& streams,
                    const Style& style);

}  // namespace casemate
