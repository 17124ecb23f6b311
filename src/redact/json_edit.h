#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace casemate {

// A part of a JSON text that goes, and what comes in its place.
struct JsonCut {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view replacement;
};

// `text`, which must be compact JSON, with `cuts` (in order, apart from each other) made inside its strings
// and numbers; brackets, colons and commas stay. A number becomes a string. What stretches over several
// strings is replaced in the first and missing in the others. With `number_keys`, each key that is cut ends
// with a number of its own.
std::string CutJson(std::string_view text, const std::vector<JsonCut>& cuts, bool number_keys);

}  // namespace casemate
