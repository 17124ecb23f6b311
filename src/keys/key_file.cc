#include <fmt/format.h>

#include "keys/key_store.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kDigestDigits = 64;

bool IsHex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Expected<void> ReadMember(ApiKey& key, const std::string& name, const JsonField& value) {
  const auto text = [&value](std::string& to) -> Expected<void> {
    auto read = value.String();
    if (!read) return std::unexpected(read.error());
    to = *std::move(read);
    return {};
  };
  const auto number = [&value](std::int64_t& to) -> Expected<void> {
    const auto read = value.Int();
    if (!read) return std::unexpected(read.error());
    if (*read < 0) return value.Refuse("a number that is not negative");
    to = *read;
    return {};
  };
  if (name == "id") return text(key.id);
  if (name == "name") return text(key.name);
  if (name == "sha256") return text(key.sha256);
  if (name == "per_minute") return number(key.quota.per_minute);
  if (name == "burst") return number(key.quota.burst);
  if (name == "runs_per_day") return number(key.quota.runs_per_day);
  if (name == "concurrent") return number(key.quota.concurrent);
  if (name == "created_us") return number(key.created_us);
  if (name == "expires_us") return number(key.expires_us);
  if (name == "revoked_us") return number(key.revoked_us);
  if (name == "scopes") {
    const auto read = value.String();
    if (!read) return std::unexpected(read.error());
    const auto scopes = ParseScopes(*read);
    if (!scopes) return std::unexpected(scopes.error());
    key.scopes = *scopes;
    return {};
  }
  // A bound that is not understood must not be left out of count.
  return Fail(ErrorCode::kInvalidRequest, fmt::format("a key has no \"{}\"", name));
}

Expected<ApiKey> ReadKey(const JsonField& field) {
  ApiKey key;
  auto read = field.ForEachMember(
      [&key](const std::string& name, const JsonField& value) { return ReadMember(key, name, value); });
  if (!read) return std::unexpected(read.error());
  if (!IsHex(key.id, kIdDigits) || !IsHex(key.sha256, kDigestDigits) || key.scopes.empty()) {
    return Fail(ErrorCode::kInvalidRequest, "a key has an id, a digest and scopes");
  }
  return key;
}

}  // namespace

std::string EncodeKeys(const std::vector<ApiKey>& keys) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("keys");
  writer.BeginArray();
  for (const ApiKey& key : keys) {
    writer.BeginObject();
    writer.Field("id", key.id);
    writer.Field("name", key.name);
    writer.Field("sha256", key.sha256);
    writer.Field("scopes", FormatScopes(key.scopes));
    writer.Field("per_minute", key.quota.per_minute);
    writer.Field("burst", key.quota.burst);
    writer.Field("runs_per_day", key.quota.runs_per_day);
    writer.Field("concurrent", key.quota.concurrent);
    writer.Field("created_us", key.created_us);
    writer.Field("expires_us", key.expires_us);
    writer.Field("revoked_us", key.revoked_us);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

Expected<std::vector<ApiKey>> DecodeKeys(std::string_view text) {
  const auto json = ParseJson(text);
  if (!json) return Fail(ErrorCode::kInvalidRequest, json.error().message);
  const JsonTape tape(*json);
  std::vector<ApiKey> keys;
  auto read = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&keys](const std::string& name, const JsonField& value) -> Expected<void> {
                    if (name != "keys")
                      return Fail(ErrorCode::kInvalidRequest, "a key file has \"keys\" alone");
                    return value.ForEachElement([&keys](const JsonField& element) -> Expected<void> {
                      auto key = ReadKey(element);
                      if (!key) return std::unexpected(key.error());
                      keys.push_back(*std::move(key));
                      return {};
                    });
                  });
  if (!read) return std::unexpected(read.error());
  return keys;
}

}  // namespace casemate
