#include "model/trace_parent.h"

#include <algorithm>

namespace casemate {

bool IsTraceParent(std::string_view text) {
  constexpr std::string_view kForm = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool IsTraceState(std::string_view text) {
  constexpr std::size_t kBytesMax = 512;
  constexpr std::size_t kEntriesMax = 32;
  const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
  if (text.empty() || text.size() > kBytesMax || !std::ranges::all_of(text, printable)) return false;
  std::size_t entries = 0;
  for (std::string_view rest = text; !rest.empty(); ++entries) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::size_t equals = rest.find('=');
    if (equals == 0 || equals >= comma) return false;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return entries <= kEntriesMax && text.back() != ',';
}

}  // namespace casemate
