#include "model/json_value.h"

#include <boost/json/parse.hpp>
#include <utility>

namespace casemate {
namespace {

namespace json = boost::json;

json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::expected<json::value, JsonError> ParseBoundedValue(std::string_view text, const JsonLimits& limits) {
  auto checked = ParseJson(text, limits);
  if (!checked) return std::unexpected(std::move(checked.error()));
  json::parse_options options;
  options.max_depth = kJsonDepthCeiling;
  json::error_code ec;
  json::value value = json::parse(View(checked->text()), ec, {}, options);
  if (ec) {
    return std::unexpected(
        JsonError{JsonError::Kind::kSyntax, "The JSON text could not be read: " + ec.message()});
  }
  return value;
}

const json::string* FindString(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(View(key));
  return value == nullptr ? nullptr : value->if_string();
}

std::optional<std::int64_t> FindInt(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(View(key));
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

}  // namespace casemate
