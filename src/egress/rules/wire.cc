#include "egress/rules/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_writer.h"

namespace casemate::egress {
namespace {

using Done = Expected<void>;

constexpr std::size_t kNetworkBytesMax = 16 * std::size_t{1024} * 1024;
constexpr std::size_t kTextMax = 1024;

template <typename T>
Done Put(Expected<T> value, T& place) {
  if (!value) return std::unexpected(std::move(value.error()));
  place = *std::move(value);
  return {};
}

void WriteList(JsonWriter& writer, std::string_view name, const std::vector<std::string>& texts) {
  writer.Key(name);
  writer.BeginArray();
  for (const std::string& text : texts) writer.String(text);
  writer.EndArray();
}

Expected<JsonText> Parse(std::string_view text, std::size_t bytes_max) {
  auto json = ParseJson(text, {bytes_max, 8});
  if (json) return *std::move(json);
  return Fail(ErrorCode::kInternal, "the egress proxy's messages are garbled", json.error().message);
}

}  // namespace

std::string EncodeNetwork(const NetworkPolicy& network) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("allow");
  writer.BeginArray();
  for (const NetworkRule& rule : network.allow) {
    writer.BeginObject();
    writer.Field("to", rule.destination);
    WriteList(writer, "methods", rule.methods);
    WriteList(writer, "paths", rule.paths);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("hosts");
  writer.BeginObject();
  for (const auto& [name, addresses] : network.hosts) WriteList(writer, name, addresses);
  writer.EndObject();
  writer.Field("connections", network.limits.connections_max);
  writer.Field("bytes", network.limits.bytes_max);
  writer.Field("bytes_per_second", network.limits.bytes_per_second);
  writer.EndObject();
  return std::move(writer).Take();
}

Expected<NetworkPolicy> DecodeNetwork(std::string_view text) {
  const auto json = Parse(text, kNetworkBytesMax);
  if (!json) return std::unexpected(json.error());
  const JsonTape tape(*json);
  NetworkPolicy network;
  const auto read_rule = [&network](const JsonField& field) {
    NetworkRule& rule = network.allow.emplace_back();
    return field.ForEachMember([&rule](const std::string& key, const JsonField& value) -> Done {
      if (key == "to") return Put(value.String(), rule.destination);
      return Put(value.Strings(), key == "methods" ? rule.methods : rule.paths);
    });
  };
  auto done = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&](const std::string& key, const JsonField& value) -> Done {
                    if (key == "allow") return value.ForEachElement(read_rule);
                    if (key == "connections") return Put(value.Int(), network.limits.connections_max);
                    if (key == "bytes") return Put(value.Int(), network.limits.bytes_max);
                    if (key == "bytes_per_second") return Put(value.Int(), network.limits.bytes_per_second);
                    return value.ForEachMember(
                        [&network](const std::string& name, const JsonField& addresses) -> Done {
                          return Put(addresses.Strings(), network.hosts[name]);
                        });
                  });
  if (!done) return std::unexpected(std::move(done.error()));
  return network;
}

std::string EncodeAttempt(const ToldAttempt& told) {
  JsonWriter writer;
  writer.BeginObject();
  const auto text = [&writer](std::string_view name, std::string_view value) {
    writer.Field(name, value.substr(0, kTextMax));
  };
  text("destination", told.attempt.destination);
  text("address", told.attempt.address);
  writer.Field("allowed", told.attempt.allowed);
  text("reason", told.attempt.reason);
  writer.Field("count", told.attempt.count);
  writer.Field("sent", told.attempt.bytes_sent);
  writer.Field("received", told.attempt.bytes_received);
  text("remedy", told.remedy);
  writer.EndObject();
  return std::move(writer).Take();
}

Expected<ToldAttempt> DecodeAttempt(std::string_view text) {
  const auto json = Parse(text, kPacketBytesMax);
  if (!json) return std::unexpected(json.error());
  const JsonTape tape(*json);
  ToldAttempt told;
  NetworkAttempt& attempt = told.attempt;
  auto done = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&](const std::string& key, const JsonField& value) -> Done {
                    if (key == "destination") return Put(value.String(), attempt.destination);
                    if (key == "address") return Put(value.String(), attempt.address);
                    if (key == "allowed") return Put(value.Bool(), attempt.allowed);
                    if (key == "reason") return Put(value.String(), attempt.reason);
                    if (key == "count") return Put(value.Int(), attempt.count);
                    if (key == "sent") return Put(value.Int(), attempt.bytes_sent);
                    if (key == "received") return Put(value.Int(), attempt.bytes_received);
                    if (key == "remedy") return Put(value.String(), told.remedy);
                    return value.Refuse("no field of an attempt");
                  });
  if (!done) return std::unexpected(std::move(done.error()));
  return told;
}

}  // namespace casemate::egress
