#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "model/json.h"

namespace casemate {

// `text`, which may be hostile, as a tree: checked as by ParseJson. Numbers beyond 64 bits become doubles,
// so use it to read small messages, not to keep a program's data.
std::expected<boost::json::value, JsonError> ParseBoundedValue(std::string_view text,
                                                               const JsonLimits& limits);

// The string of `object` under `key`; nullptr when there is none or it is something else.
const boost::json::string* FindString(const boost::json::object& object, std::string_view key);

// Likewise for an integer that fits.
std::optional<std::int64_t> FindInt(const boost::json::object& object, std::string_view key);

}  // namespace casemate
