#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate mcp WORDS...`: serves one client by the Model Context Protocol on stdin and stdout until its end
// or a signal; the exit code.
int McpCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams);

}  // namespace casemate
