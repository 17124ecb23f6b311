#pragma once

#include <cstddef>

namespace casemate {

// Boost.Beast's parser (1.81) asserts that it has five bytes when it is given the last chunk of a body again
// because the end of it was missing; of an empty body three or four may have come by then. So what it left of
// a chunked body is given to it again only with so many bytes. No body ends with fewer.
inline constexpr std::size_t kParseAgainBytesMin = 5;

}  // namespace casemate
