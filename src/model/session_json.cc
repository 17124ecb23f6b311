#include "model/session_json.h"

#include <fmt/format.h>

#include <ctime>
#include <functional>
#include <utility>

#include "model/json.h"
#include "model/json_fields.h"
#include "model/request_json.h"

namespace casemate {
namespace {

std::string Rfc3339(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm time{};
  gmtime_r(&seconds, &time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", time.tm_year + 1900, time.tm_mon + 1,
                     time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec, unix_ms % 1000);
}

template <typename T>
Expected<bool> Put(Expected<T> value, T& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = *std::move(value);
  return true;
}

}  // namespace

std::string_view SessionStateName(SessionState state) {
  switch (state) {
    case SessionState::kIdle:
      return "idle";
    case SessionState::kRunning:
      return "running";
    case SessionState::kEnded:
      break;
  }
  return "ended";
}

std::string_view FileKindName(FileInfo::Kind kind) {
  switch (kind) {
    case FileInfo::Kind::kFile:
      return "file";
    case FileInfo::Kind::kFolder:
      return "folder";
    case FileInfo::Kind::kLink:
      return "link";
    case FileInfo::Kind::kOther:
      break;
  }
  return "other";
}

Expected<SessionOptions> DecodeSessionOptions(std::string_view text) {
  SessionOptions options;
  auto base =
      DecodeRequest(text, [&options](const std::string& name, const JsonField& value) -> Expected<bool> {
        if (name == "name") return Put(value.String(), options.name);
        if (name == "idle_timeout_ms") return Put(value.Int(), options.idle_timeout_ms);
        if (name == "lifetime_ms") return Put(value.Int(), options.lifetime_ms);
        if (name != "code") return false;
        return Fail(ErrorCode::kInvalidRequest,
                    "\"code\" is not of a session: open it first, then give the code to its run");
      });
  if (!base) return std::unexpected(std::move(base.error()));
  options.base = *std::move(base);
  return options;
}

namespace {

// The members of a small object; an absent text is an empty one.
Expected<void> ReadMembers(
    std::string_view text,
    const std::function<Expected<bool>(const std::string& name, const JsonField& value)>& take) {
  if (text.empty()) return {};
  const auto json = ParseJson(text);
  if (!json) return Fail(ErrorCode::kInvalidRequest, "the request is not JSON: " + json.error().message);
  const JsonTape tape(*json);
  return JsonField(tape, JsonTape::kRoot, "request")
      .ForEachMember([&take](const std::string& name, const JsonField& value) -> Expected<void> {
        const auto known = take(name, value);
        if (!known) return std::unexpected(known.error());
        if (*known) return {};
        return Fail(ErrorCode::kInvalidRequest, fmt::format("there is no field \"{}\" here", name));
      });
}

}  // namespace

Expected<ForkOptions> DecodeForkOptions(std::string_view text) {
  ForkOptions options;
  std::int64_t count = 1;
  auto read = ReadMembers(text, [&](const std::string& name, const JsonField& value) -> Expected<bool> {
    if (name == "count") return Put(value.Int(), count);
    return name == "name" ? Put(value.String(), options.name) : Expected<bool>(false);
  });
  if (!read) return std::unexpected(read.error());
  if (count < 1 || count > kForksMax)
    return Fail(ErrorCode::kInvalidRequest, fmt::format("\"count\" must be from 1 to {}", kForksMax));
  options.count = static_cast<int>(count);
  return options;
}

Expected<std::string> DecodeCheckpointName(std::string_view text) {
  std::string checkpoint;
  auto read = ReadMembers(text, [&](const std::string& name, const JsonField& value) -> Expected<bool> {
    return name == "name" ? Put(value.String(), checkpoint) : Expected<bool>(false);
  });
  if (!read) return std::unexpected(read.error());
  return checkpoint;
}

Expected<std::string> DecodeRewind(std::string_view text) {
  std::string checkpoint;
  auto read = ReadMembers(text, [&](const std::string& name, const JsonField& value) -> Expected<bool> {
    return name == "checkpoint" ? Put(value.String(), checkpoint) : Expected<bool>(false);
  });
  if (!read) return std::unexpected(read.error());
  if (checkpoint.empty())
    return Fail(ErrorCode::kInvalidRequest, "\"checkpoint\" must name a checkpoint of this session");
  return checkpoint;
}

void WriteCheckpoint(JsonWriter& writer, const CheckpointInfo& info) {
  writer.BeginObject();
  writer.Field("id", info.id);
  if (!info.name.empty()) writer.Field("name", info.name);
  writer.Field("created_at", Rfc3339(info.created_at_ms));
  writer.Field("steps", info.steps);
  writer.EndObject();
}

void WriteSession(JsonWriter& writer, const SessionInfo& info) {
  writer.BeginObject();
  writer.Field("id", info.id);
  if (!info.name.empty()) writer.Field("name", info.name);
  writer.Field("state", SessionStateName(info.state));
  if (!info.ended_because.empty()) writer.Field("ended_because", info.ended_because);
  if (!info.parent.empty()) writer.Field("parent", info.parent);
  writer.Field("created_at", Rfc3339(info.created_at_ms));
  writer.Field("last_used_at", Rfc3339(info.last_used_at_ms));
  writer.Field("expires_at", Rfc3339(info.expires_at_ms));
  writer.Field("steps", info.steps);
  writer.Field("policy", info.policy);
  writer.Field("environment", info.environment);
  writer.Field("tier", TierName(info.isolation.tier));
  writer.EndObject();
}

void WriteFileInfo(JsonWriter& writer, const FileInfo& info) {
  writer.BeginObject();
  writer.Field("name", info.name);
  writer.Field("kind", FileKindName(info.kind));
  writer.Field("size_bytes", info.size_bytes);
  writer.Field("modified_at", Rfc3339(info.modified_at_ms));
  writer.EndObject();
}

}  // namespace casemate
