#pragma once

#include <string>
#include <vector>

#include "casemate/explain.h"
#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate explain`, whose words are those of `casemate run`; returns the exit code.
int ExplainCommandLine(const std::vector<std::string>& words, const CliServices& services,
                       const CliStreams& streams);

std::string ExplanationText(const Explanation& explanation);
std::string ExplanationJson(const Explanation& explanation);

}  // namespace casemate
