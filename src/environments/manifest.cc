#include "environments/manifest.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>

#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr std::size_t kBytesMax = 16 << 20;
constexpr std::int64_t kFormat = 1;

void Texts(JsonWriter& writer, std::string_view name, const std::vector<std::string>& texts) {
  writer.Key(name);
  writer.BeginArray();
  for (const std::string& text : texts) writer.String(text);
  writer.EndArray();
}

using Object = boost::json::object;

bool Read(const Object& object, std::string_view key, std::string& into) {
  const boost::json::string* const text = FindString(object, key);
  if (text != nullptr) into = *text;
  return text != nullptr;
}

bool Read(const Object& object, std::string_view key, std::int64_t& into) {
  const auto number = FindInt(object, key);
  if (number) into = *number;
  return number.has_value();
}

bool Read(const Object& object, std::string_view key, std::vector<std::string>& into) {
  const boost::json::value* const list = object.if_contains(key);
  if (list == nullptr || !list->is_array()) return false;
  for (const boost::json::value& item : list->get_array()) {
    if (!item.is_string()) return false;
    into.emplace_back(item.get_string());
  }
  return true;
}

bool ReadWheels(const Object& object, std::vector<LockedWheel>& into) {
  const boost::json::value* const list = object.if_contains("wheels");
  if (list == nullptr || !list->is_array()) return false;
  for (const boost::json::value& item : list->get_array()) {
    LockedWheel wheel;
    if (!item.is_object() || !Read(item.get_object(), "name", wheel.name) ||
        !Read(item.get_object(), "version", wheel.version) || !Read(item.get_object(), "file", wheel.file) ||
        !Read(item.get_object(), "sha256", wheel.sha256)) {
      return false;
    }
    into.push_back(std::move(wheel));
  }
  return true;
}

bool ReadVariables(const Object& object, std::map<std::string, std::string>& into) {
  const boost::json::value* const map = object.if_contains("variables");
  if (map == nullptr || !map->is_object()) return false;
  for (const auto& [name, value] : map->get_object()) {
    if (!value.is_string()) return false;
    into[std::string(name)] = std::string(value.get_string());
  }
  return true;
}

}  // namespace

std::string EncodeManifest(const EnvironmentManifest& manifest) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("format", kFormat);
  writer.Field("id", manifest.id);
  writer.Field("kind", manifest.kind);
  writer.Field("name", manifest.name);
  writer.Field("created", manifest.created);
  writer.Field("python", manifest.python);
  writer.Field("python_version", manifest.python_version);
  writer.Field("python_abi", manifest.python_abi);
  writer.Field("python_prefix", manifest.python_prefix);
  Texts(writer, "sys_path", manifest.sys_path);
  Texts(writer, "path_entries", manifest.path_entries);
  Texts(writer, "preload", manifest.preload);
  Texts(writer, "store_paths", manifest.store_paths);
  writer.Key("wheels");
  writer.BeginArray();
  for (const LockedWheel& wheel : manifest.wheels) {
    writer.BeginObject();
    writer.Field("name", wheel.name);
    writer.Field("version", wheel.version);
    writer.Field("file", wheel.file);
    writer.Field("sha256", wheel.sha256);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("variables");
  writer.BeginObject();
  for (const auto& [name, value] : manifest.variables) writer.Field(name, value);
  writer.EndObject();
  writer.Field("bytes", manifest.bytes);
  writer.Field("files", manifest.files);
  writer.Field("contents_sha256", manifest.contents_sha256);
  writer.EndObject();
  return std::move(writer).Take();
}

Expected<EnvironmentManifest> ParseManifest(std::string_view text) {
  const auto value = ParseBoundedValue(text, {.bytes_max = kBytesMax});
  EnvironmentManifest manifest;
  const auto parse = [&](const Object& object) {
    return FindInt(object, "format") == kFormat && Read(object, "id", manifest.id) &&
           Read(object, "kind", manifest.kind) && Read(object, "name", manifest.name) &&
           Read(object, "created", manifest.created) && Read(object, "python", manifest.python) &&
           Read(object, "python_version", manifest.python_version) &&
           Read(object, "python_abi", manifest.python_abi) &&
           Read(object, "python_prefix", manifest.python_prefix) &&
           Read(object, "sys_path", manifest.sys_path) &&
           Read(object, "path_entries", manifest.path_entries) && Read(object, "preload", manifest.preload) &&
           Read(object, "store_paths", manifest.store_paths) && ReadWheels(object, manifest.wheels) &&
           ReadVariables(object, manifest.variables) && Read(object, "bytes", manifest.bytes) &&
           Read(object, "files", manifest.files) && Read(object, "contents_sha256", manifest.contents_sha256);
  };
  if (value && value->is_object() && parse(value->get_object())) return manifest;
  return Fail(ErrorCode::kInternal,
              "the description of a built environment is damaged: remove it with casemate env prune");
}

std::string LockText(const EnvironmentManifest& manifest) {
  std::string text =
      fmt::format("casemate environment 1\npython {} {}\n", manifest.python_version, manifest.python_abi);
  for (const LockedWheel& wheel : manifest.wheels) {
    text += fmt::format("wheel {} {} {}\n", wheel.sha256, wheel.file, wheel.name);
  }
  for (const std::string& module : manifest.preload) text += fmt::format("preload {}\n", module);
  return text;
}

}  // namespace casemate
