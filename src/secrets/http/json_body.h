#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::secrets {

// A JSON text of a remote server, bounded in depth. kUnavailable, without a word of it, when it is none.
Expected<boost::json::value> ParseBody(std::string_view text);

// The value at `path` ("data.metadata.version"); nullptr when any part of it is missing.
const boost::json::value* Find(const boost::json::value& value, std::string_view path);

// A text there; "" when there is none.
std::string TextAt(const boost::json::value& value, std::string_view path);
// A whole number there; 0 when there is none.
std::int64_t NumberAt(const boost::json::value& value, std::string_view path);

// A field's value as a secret: a text as it is, any other kind but null as its JSON.
std::optional<std::string> FieldText(const boost::json::value& value, std::string_view field);

}  // namespace casemate::secrets
