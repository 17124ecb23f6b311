#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate serve WORDS...`: serves in the foreground until a signal comes; the exit code. 0 after a drain.
// Tells systemd when it is ready (sd_notify(3)).
int ServeCommandLine(const std::vector<std::string>& words, const CliServices& services,
                     const CliStreams& streams);

}  // namespace casemate
