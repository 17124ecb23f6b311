#pragma once

#include <span>
#include <string>
#include <string_view>

namespace casemate {

// The one of `known` that someone who wrote `name` most likely meant; "" when none is near.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> known);

// `; did you mean "memory_bytes"?`, or `; known are "a", "b".` when none is near. Ends the sentence.
std::string SuggestName(std::string_view name, std::span<const std::string_view> known);

}  // namespace casemate
