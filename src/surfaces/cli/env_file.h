#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// Where a variable named without a value comes from; nothing when the host has none.
using HostVariable = std::function<std::optional<std::string>(const std::string& name)>;

// Adds "NAME=VALUE", or "NAME" with the host's value (left out where the host has none, as Docker does), to
// `env`. kInvalidRequest for a name that is empty or holds white space or control characters, or a value
// with a zero byte.
Expected<void> AddVariable(std::string_view text, const HostVariable& host,
                           std::map<std::string, std::string>& env);

// Docker's env-file format, hostile bytes allowed: one AddVariable a line; lines that are empty or start with
// '#' are skipped; quotes are part of the value. An error names the line.
Expected<std::map<std::string, std::string>> ParseEnvFile(std::string_view text, const HostVariable& host);

}  // namespace casemate
