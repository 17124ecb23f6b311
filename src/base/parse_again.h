#pragma once

#include <cstddef>
#include <string_view>

namespace casemate {

// Whether Boost.Beast's parser may be given `rest` again, which it left of a chunked body because more was
// needed. It (1.81) asserts then that the last chunk has five bytes, but of an empty body three or four may
// have come. No body ends with fewer.
inline bool MayParseAgain(std::string_view rest) {
  constexpr std::size_t kLastChunkBytes = 5;
  const std::size_t size_at = rest.find_first_not_of("\r\n");
  return rest.size() >= kLastChunkBytes || (size_at != std::string_view::npos && rest[size_at] != '0');
}

}  // namespace casemate
