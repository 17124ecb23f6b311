#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate secrets scan`: what lies in files, by the rules of the redactor; never a value. Returns the exit
// code: 0 when nothing was found, 1 when something was, 126 when it was asked wrongly.
int SecretsScan(const std::vector<std::string>& words, const CliStreams& streams);

}  // namespace casemate
