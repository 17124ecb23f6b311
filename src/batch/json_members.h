#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace casemate {

// The members of the one JSON object `text`, each value as its own text, in order. Only the object's own
// level is read: values are delimited, not checked. nullopt when the text is no object or ends early, so a
// line that was torn in the middle of its writing never passes. Keys are given as written between their
// quotes.
std::optional<std::vector<std::pair<std::string_view, std::string_view>>> SplitObject(std::string_view text);

// The value of `key` in the object `text`; empty when it is not there or `text` is no object.
std::string_view FindMember(std::string_view text, std::string_view key);

// What is between the quotes of the string `value`; empty for another value.
std::string_view Unquote(std::string_view value);

}  // namespace casemate
