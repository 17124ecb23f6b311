#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// The whole of `casemate check WORDS...` and its exit code (CheckHelp() lists them). Runs nothing.
int CheckCommandLine(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
