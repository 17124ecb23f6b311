#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate run WORDS...`; the exit code.
int RunCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams);

}  // namespace casemate
