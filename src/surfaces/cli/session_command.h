#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate session`: sessions of the resident engine. `words` are those after "session".
int SessionCommandLine(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
