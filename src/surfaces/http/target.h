#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace casemate::http {

// `text` with each %XX as its byte; nullopt for a broken one and for a NUL byte.
std::optional<std::string> DecodePercent(std::string_view text);

// The parameters of a query, "a=1&b", in order, decoded ("+" is a space); nullopt when one cannot be.
using Parameters = std::vector<std::pair<std::string, std::string>>;
std::optional<Parameters> ParseQuery(std::string_view query);

// Whether `path` is of `pattern`'s form; then what stands at its names, decoded. "{name}" stands for one
// segment that is not empty and holds no "/" after decoding, "{name...}" at the end for all that follows.
std::optional<std::vector<std::string>> MatchPath(std::string_view pattern, std::string_view path);

// The token of "Bearer TOKEN" (RFC 6750, 2.1); "" for any other text.
std::string_view BearerToken(std::string_view authorization);

// Whether the comma-separated `list` has `token`, in any case (RFC 9110, 5.6.1).
bool ListHasToken(std::string_view list, std::string_view token);

}  // namespace casemate::http
