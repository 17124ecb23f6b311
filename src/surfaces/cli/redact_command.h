#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate redact WORDS...`: a filter from stdin, or from files one after the other, to stdout. Exit codes:
// 0; 1 with --check when something was found; 125 when reading or writing failed; 126 for a wrong command
// line.
int RedactCommandLine(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
