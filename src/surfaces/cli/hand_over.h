#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// Becomes the program `name` beside this one, with the words behind the first. What needs libraries that no
// run needs is a program of its own, so that no run's start pays for them. Returns only when it cannot, with
// the exit code.
int HandOver(const std::string& name, const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
