#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// The whole of `casemate audit ship WORDS...` and its exit code.
int ShipMain(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
