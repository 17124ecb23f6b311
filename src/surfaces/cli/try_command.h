#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate try [FLAGS] DIR [ARGS...]`: runs DIR/run.py with the packages of DIR/requirements.txt, in a
// sandbox that has a copy of DIR, the variables of DIR/.env and nothing else of this host; at the end, says
// what the program touched. The flags are those of `casemate run`.
int TryCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams);

}  // namespace casemate
