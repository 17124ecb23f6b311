#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casemate/checks.h"
#include "casemate/error.h"

namespace casemate {

// `casemate check`'s command line.
struct CheckOptions {
  enum class Format { kText, kJson, kSarif };
  ChecksPolicy policy;
  std::vector<std::string> files;  // "-" for stdin, once at most
  Format format = Format::kText;
  bool color = true;
  bool help = false;
};

// `words` are those after "check". kInvalidRequest, or kNotFound when no file is named.
Expected<CheckOptions> ParseCheckOptions(const std::vector<std::string>& words);

// "loops=5".
Expected<std::pair<std::string, std::int64_t>> ParseCheckLimit(std::string_view text);

std::string CheckHelp();

}  // namespace casemate
