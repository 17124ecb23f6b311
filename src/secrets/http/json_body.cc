#include "secrets/http/json_body.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace casemate::secrets {

namespace json = boost::json;

Expected<json::value> ParseBody(std::string_view text) {
  json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code failed;
  json::value value = json::parse(json::string_view(text.data(), text.size()), failed, {}, options);
  if (failed) return Fail(ErrorCode::kUnavailable, "its answer is not JSON; is the address right?");
  return value;
}

const json::value* Find(const json::value& value, std::string_view path) {
  const json::value* at = &value;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view key = path.substr(0, dot);
    const json::object* object = at->if_object();
    if (object == nullptr) return nullptr;
    at = object->if_contains(json::string_view(key.data(), key.size()));
    if (at == nullptr || dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

std::string TextAt(const json::value& value, std::string_view path) {
  const json::value* found = Find(value, path);
  const json::string* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? std::string(text->data(), text->size()) : "";
}

std::int64_t NumberAt(const json::value& value, std::string_view path) {
  const json::value* found = Find(value, path);
  const std::int64_t* number = found != nullptr ? found->if_int64() : nullptr;
  return number != nullptr ? *number : 0;
}

std::optional<std::string> FieldText(const json::value& value, std::string_view field) {
  const json::object* object = value.if_object();
  const json::value* found =
      object != nullptr ? object->if_contains(json::string_view(field.data(), field.size())) : nullptr;
  if (found == nullptr || found->is_null()) return std::nullopt;
  if (const json::string* text = found->if_string()) return std::string(text->data(), text->size());
  return json::serialize(*found);
}

}  // namespace casemate::secrets
