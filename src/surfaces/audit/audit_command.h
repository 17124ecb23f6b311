#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// The whole of `casemate audit WORDS...` and its exit code (surfaces/cli/exit_code.h): 1 when the chain does
// not hold.
int AuditMain(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
