#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// The whole of `casemate env WORDS...` and its exit code: 0, 1 when verify or prune leave something to do,
// 126 for what is refused, 125 for our own faults. Needs one thread: it forks what unpacks.
int EnvMain(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
