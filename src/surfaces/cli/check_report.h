#pragma once

#include <string>
#include <vector>

#include "policy/checks/code_checker.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

struct CheckedFile {
  std::string name;
  CheckReport report;
};

// FILE:LINE:COLUMN: error: reason [rule], the line, and what to do; a last line with the sum.
std::string CheckText(const std::vector<CheckedFile>& files, const Style& style);
// {"refused", "files": [{"name", "refused", "cut", "findings", "complexity"}]}
std::string CheckJson(const std::vector<CheckedFile>& files);
// SARIF 2.1.0 (OASIS), one run.
std::string CheckSarif(const std::vector<CheckedFile>& files);

}  // namespace casemate
