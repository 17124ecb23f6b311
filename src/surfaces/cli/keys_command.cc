#include "surfaces/cli/keys_command.h"

#include <fmt/format.h>

#include <string_view>

#include "base/clock.h"
#include "base/state_dir.h"
#include "keys/key_store.h"
#include "model/json_writer.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/keys_options.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

std::string_view StateOf(const ApiKey& key, std::int64_t now_us) {
  if (key.revoked_us != 0) return "revoked";
  return key.expires_us != 0 && key.expires_us <= now_us ? "expired" : "valid";
}

void WriteKey(JsonWriter& writer, const ApiKey& key, std::string_view text, std::int64_t now_us) {
  writer.BeginObject();
  writer.Field("id", key.id);
  writer.Field("name", key.name);
  if (!text.empty()) writer.Field("key", text);
  writer.Field("state", StateOf(key, now_us));
  writer.Field("scopes", FormatScopes(key.scopes));
  writer.Field("requests_per_minute", key.quota.per_minute);
  writer.Field("burst", key.quota.burst);
  writer.Field("runs_per_day", key.quota.runs_per_day);
  writer.Field("concurrent", key.quota.concurrent);
  writer.Field("created_us", key.created_us);
  writer.Field("expires_us", key.expires_us);
  writer.EndObject();
}

Expected<std::string> Add(const KeysOptions& options, const KeyStore& store, std::int64_t now_us) {
  auto made = MakeKey(options.name, options.scopes, options.quota, now_us);
  if (!made) return std::unexpected(made.error());
  if (options.expires_ms > 0) made->key.expires_us = now_us + options.expires_ms * 1000;
  if (auto added = store.Add(made->key); !added) return std::unexpected(added.error());
  if (!options.json) return made->text + "\n";
  JsonWriter writer;
  WriteKey(writer, made->key, made->text, now_us);
  return std::move(writer).Take() + "\n";
}

Expected<std::string> List(const KeysOptions& options, const KeyStore& store, std::int64_t now_us) {
  const auto keys = store.List();
  if (!keys) return std::unexpected(keys.error());
  if (options.json) {
    JsonWriter writer;
    writer.BeginObject();
    writer.Key("keys");
    writer.BeginArray();
    for (const ApiKey& key : *keys) WriteKey(writer, key, "", now_us);
    writer.EndArray();
    writer.EndObject();
    return std::move(writer).Take() + "\n";
  }
  std::string text = fmt::format("{:<12}  {:<8}  {:<20}  {}\n", "ID", "STATE", "NAME", "SCOPES");
  for (const ApiKey& key : *keys) {
    text += fmt::format("{:<12}  {:<8}  {:<20}  {}\n", key.id, StateOf(key, now_us),
                        EscapeForTerminal(key.name), FormatScopes(key.scopes));
  }
  return text;
}

Expected<std::string> Revoke(const KeysOptions& options, const KeyStore& store, std::int64_t now_us) {
  const auto key = store.Revoke(options.name, now_us);
  if (!key) return std::unexpected(key.error());
  if (!options.json) return fmt::format("revoked {} ({})\n", key->id, EscapeForTerminal(key->name));
  JsonWriter writer;
  WriteKey(writer, *key, "", now_us);
  return std::move(writer).Take() + "\n";
}

Expected<std::string> Run(const KeysOptions& options) {
  const KeyStore store(FindStateDir(options.state_dir));
  const std::int64_t now_us = WallClockUs();
  switch (options.command) {
    case KeysOptions::Command::kAdd:
      return Add(options, store, now_us);
    case KeysOptions::Command::kList:
      return List(options, store, now_us);
    case KeysOptions::Command::kRevoke:
      return Revoke(options, store, now_us);
    case KeysOptions::Command::kHelp:
      break;
  }
  return KeysHelp();
}

}  // namespace

int KeysCommandLine(const std::vector<std::string>& words, const CliStreams& streams) {
  const auto options = ParseKeysOptions(words);
  const auto text = options ? Run(*options) : Expected<std::string>(std::unexpected(options.error()));
  if (text) return WritePatiently(streams.out, *text, -1) == 0 ? kExitOk : kExitFailed;
  WritePatiently(streams.err, ErrorLine(text.error(), StyleOf(streams.err, true)), -1);
  return text.error().code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

}  // namespace casemate
