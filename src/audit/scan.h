#pragma once

#include <cstddef>
#include <string_view>

#include "audit/record.h"

namespace casemate::audit {

// A segment is begun anew long before; one record more may go past.
inline constexpr std::size_t kSegmentBytesMax = std::size_t{1} << 30U;

// Follows whole, intact lines from the start of `bytes` that continue `last`, which is moved to their end.
// Returns how many bytes they have.
std::size_t FollowChain(std::string_view bytes, Link& last);

// The last whole and intact line of `bytes`, whatever stands before it; a Link of seq 0 when there is none.
Link LastIntact(std::string_view bytes);

}  // namespace casemate::audit
