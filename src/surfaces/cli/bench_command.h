#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate bench WORDS...`; the exit code: 0 when all rounds were measured, whatever became of the program
// itself; 125 to 127 when it could not be run, 128 and the signal's number when interrupted.
int BenchCommandLine(const std::vector<std::string>& words, const CliServices& services,
                     const CliStreams& streams);

}  // namespace casemate
