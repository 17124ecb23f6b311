#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// The whole of `casemate top WORDS...`: a resident engine's runs, pools and rates, drawn anew until a signal
// comes or, with --once, printed once. `words` are those after "top".
int TopCommandLine(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
