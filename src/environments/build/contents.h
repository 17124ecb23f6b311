#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// A tree of files as text, sorted by path: "MODE SIZE SHA256 PATH" for a file, "MODE - - PATH" for a folder
// that is empty or has other rights than usual, "link - TARGET PATH" for a symbolic link. Names are escaped
// (%0A, %20), so that each line has four words.
struct Contents {
  std::string text;
  std::int64_t bytes = 0;
  std::int64_t files = 0;
};
// Reads all of `folder`; follows no link. `folders`: with a line for every folder.
Expected<Contents> ListContents(const std::string& folder, bool folders);

struct ContentsLine {
  std::string_view mode;
  std::string_view size;
  std::string_view hash;  // or a link's target, escaped
  std::string path;       // unescaped
};

// A name as such a text has it.
std::string EscapeName(std::string_view name);
// Lines of a text of ours; what is none is left out.
std::vector<ContentsLine> ReadContents(std::string_view text);

// The first difference of two such texts, as a sentence; "" when they are equal.
std::string FirstDifference(std::string_view expected, std::string_view found);

}  // namespace casemate
