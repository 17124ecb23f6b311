#include "environments/build/image_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "environments/build/tree_writer.h"
#include "model/json_value.h"

namespace casemate {
namespace {

using Object = boost::json::object;
using Array = boost::json::array;

constexpr std::size_t kTextMax = 8 << 20;
constexpr std::size_t kLayersMax = 1000;
constexpr std::size_t kVariablesMax = 1000;

std::unexpected<Error> Garbled(std::string_view what) {
  return Fail(ErrorCode::kInvalidRequest, fmt::format("the image's {} makes no sense: save it again", what));
}

std::optional<boost::json::value> Parse(std::string_view text) {
  auto value = ParseBoundedValue(text, {.bytes_max = kTextMax});
  if (!value) return std::nullopt;
  return *std::move(value);
}

const Array* FindArray(const Object& object, std::string_view key) {
  const boost::json::value* const value = object.if_contains(key);
  return value != nullptr ? value->if_array() : nullptr;
}
const Object* FindObject(const Object& object, std::string_view key) {
  const boost::json::value* const value = object.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

// The digits of "sha256:…".
std::optional<std::string> Digest(const boost::json::string* text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (text == nullptr) return std::nullopt;
  const std::string_view whole(*text);
  if (!whole.starts_with(kPrefix) || whole.size() != kPrefix.size() + 64) return std::nullopt;
  const std::string_view digits = whole.substr(kPrefix.size());
  const bool hex =
      std::ranges::all_of(digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex ? std::optional<std::string>(digits) : std::nullopt;
}

std::string BlobPath(const std::string& digest) { return fmt::format("blobs/sha256/{}", digest); }

// The hash that a file's name promises; "" when it promises none.
std::string HashOfName(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (name.ends_with(".json")) name.remove_suffix(5);
  const bool hex =
      std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex && name.size() == 64 ? std::string(name) : std::string();
}

}  // namespace

Expected<ImageLayout> ParseDockerManifest(std::string_view text) {
  const auto value = Parse(text);
  const Array* const images = value ? value->if_array() : nullptr;
  if (images == nullptr || images->empty() || !images->front().is_object()) return Garbled("manifest.json");
  if (images->size() > 1) {
    return Fail(ErrorCode::kInvalidRequest, "the file has several images: save one alone");
  }
  const Object& image = images->front().get_object();
  ImageLayout layout;
  const boost::json::string* const config = FindString(image, "Config");
  const Array* const layers = FindArray(image, "Layers");
  if (config == nullptr || layers == nullptr || layers->size() > kLayersMax) return Garbled("manifest.json");
  auto path = TreeWriter::CheckPath(*config);
  if (!path) return std::unexpected(path.error());
  layout.config = *std::move(path);
  layout.config_sha256 = HashOfName(layout.config);
  for (const boost::json::value& layer : *layers) {
    if (!layer.is_string()) return Garbled("manifest.json");
    auto layer_path = TreeWriter::CheckPath(layer.get_string());
    if (!layer_path) return std::unexpected(layer_path.error());
    // A folder of an older format is named by an id that is no hash of the file in it.
    layout.hashes.push_back(layer_path->starts_with("blobs/sha256/") ? HashOfName(*layer_path) : "");
    layout.layers.push_back(*std::move(layer_path));
  }
  return layout;
}

bool IsOciIndex(std::string_view text) {
  const auto value = Parse(text);
  return value && value->is_object() && value->get_object().contains("manifests");
}

Expected<std::string> ParseOciIndex(std::string_view text, std::string_view architecture) {
  const auto value = Parse(text);
  const Array* const manifests =
      value && value->is_object() ? FindArray(value->get_object(), "manifests") : nullptr;
  if (manifests == nullptr) return Garbled("index.json");
  std::vector<std::string> fitting;
  for (const boost::json::value& one : *manifests) {
    if (!one.is_object()) return Garbled("index.json");
    const auto digest = Digest(FindString(one.get_object(), "digest"));
    if (!digest) return Garbled("index.json");
    const Object* const platform = FindObject(one.get_object(), "platform");
    if (platform != nullptr) {
      const auto* const os = FindString(*platform, "os");
      const auto* const machine = FindString(*platform, "architecture");
      if (os == nullptr || *os != "linux" || machine == nullptr || std::string_view(*machine) != architecture)
        continue;
    }
    fitting.push_back(BlobPath(*digest));
  }
  if (fitting.empty()) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("the file has no image for linux/{}: save the one for this machine", architecture));
  }
  if (fitting.size() > 1) {
    return Fail(ErrorCode::kInvalidRequest, "the file has several images for this machine: save one alone");
  }
  return fitting.front();
}

Expected<ImageLayout> ParseOciManifest(std::string_view text) {
  const auto value = Parse(text);
  const Object* const manifest = value ? value->if_object() : nullptr;
  const Object* const config = manifest != nullptr ? FindObject(*manifest, "config") : nullptr;
  const Array* const layers = manifest != nullptr ? FindArray(*manifest, "layers") : nullptr;
  const auto digest = config != nullptr ? Digest(FindString(*config, "digest")) : std::nullopt;
  if (!digest || layers == nullptr || layers->size() > kLayersMax) return Garbled("manifest");
  ImageLayout layout;
  layout.config = BlobPath(*digest);
  layout.config_sha256 = *digest;
  for (const boost::json::value& layer : *layers) {
    const auto hash = layer.is_object() ? Digest(FindString(layer.get_object(), "digest")) : std::nullopt;
    if (!hash) return Garbled("manifest");
    layout.layers.push_back(BlobPath(*hash));
    layout.hashes.push_back(*hash);
  }
  return layout;
}

Expected<ImageConfig> ParseImageConfig(std::string_view text) {
  const auto value = Parse(text);
  if (!value || !value->is_object()) return Garbled("configuration");
  ImageConfig config;
  const Object* const settings = FindObject(value->get_object(), "config");
  const Array* const variables = settings != nullptr ? FindArray(*settings, "Env") : nullptr;
  if (variables != nullptr) {
    if (variables->size() > kVariablesMax) return Garbled("configuration");
    for (const boost::json::value& pair : *variables) {
      if (!pair.is_string()) return Garbled("configuration");
      const std::string_view word(pair.get_string());
      const std::size_t equals = word.find('=');
      if (equals == 0 || equals == std::string_view::npos || word.contains('\0')) continue;
      config.variables[std::string(word.substr(0, equals))] = word.substr(equals + 1);
    }
  }
  const Object* const rootfs = FindObject(value->get_object(), "rootfs");
  const Array* const hashes = rootfs != nullptr ? FindArray(*rootfs, "diff_ids") : nullptr;
  if (hashes == nullptr) return config;
  for (const boost::json::value& hash : *hashes) {
    auto digest = Digest(hash.if_string());
    if (!digest) return Garbled("configuration");
    config.layer_hashes.push_back(*std::move(digest));
  }
  return config;
}

}  // namespace casemate
