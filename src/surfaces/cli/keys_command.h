#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate keys add|list|revoke`: who may ask an engine that listens at a TCP address; the exit code. A
// key's text is printed once, by `add`, and kept nowhere.
int KeysCommandLine(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
