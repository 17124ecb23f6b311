#include "surfaces/mcp/message.h"

#include <fmt/format.h>

#include "model/json.h"
#include "model/json_writer.h"
#include "model/request_json.h"

namespace casemate::mcp {
namespace {

constexpr std::size_t kIdBytesMax = 256;

std::unexpected<RpcError> Refuse(RpcCode code, std::string message, std::string id = "") {
  return std::unexpected(RpcError{code, std::move(message), std::move(id)});
}

bool IsId(const JsonTape& tape, JsonTape::Index node) {
  const auto kind = tape.kind(node);
  return (kind == JsonTape::Kind::kString || kind == JsonTape::Kind::kNumber) &&
         tape.raw(node).size() <= kIdBytesMax;
}

ReadResult ReadMessage(const JsonTape& tape, JsonTape::Index node) {
  if (tape.kind(node) != JsonTape::Kind::kObject) {
    return Refuse(RpcCode::kInvalidRequest, "a message must be an object");
  }
  Message message;
  const auto id = FindMember(tape, node, "id");
  if (id) {
    if (!IsId(tape, *id)) {
      return Refuse(RpcCode::kInvalidRequest, "\"id\" must be a number or a text of at most 256 bytes");
    }
    message.id = tape.raw(*id);
  }
  const auto version = FindMember(tape, node, "jsonrpc");
  if (!version || tape.kind(*version) != JsonTape::Kind::kString || tape.String(*version) != "2.0") {
    return Refuse(RpcCode::kInvalidRequest, "\"jsonrpc\" must be \"2.0\"", message.id);
  }
  const auto method = FindMember(tape, node, "method");
  if (!method) {
    message.kind = Message::Kind::kResponse;
    if (id && (FindMember(tape, node, "result") || FindMember(tape, node, "error"))) return message;
    return Refuse(RpcCode::kInvalidRequest, "a message needs \"method\"", message.id);
  }
  if (tape.kind(*method) != JsonTape::Kind::kString) {
    return Refuse(RpcCode::kInvalidRequest, "\"method\" must be a text", message.id);
  }
  message.kind = id ? Message::Kind::kRequest : Message::Kind::kNotification;
  message.method = tape.String(*method);
  if (const auto params = FindMember(tape, node, "params")) {
    if (tape.kind(*params) != JsonTape::Kind::kObject) {
      return Refuse(RpcCode::kInvalidParams, "\"params\" must be an object", message.id);
    }
    const std::string_view text = tape.text(*params);
    auto checked = ParseJson(text, {text.size(), kJsonDepthCeiling});
    if (!checked) return Refuse(RpcCode::kInvalidParams, checked.error().message, message.id);
    message.params = *std::move(checked);
  }
  return message;
}

}  // namespace

std::vector<ReadResult> ReadMessages(std::string_view line) {
  std::vector<ReadResult> messages;
  const auto json = ParseJson(line, {kRequestBytesMax, kJsonDepthCeiling});
  if (!json) {
    messages.emplace_back(
        Refuse(RpcCode::kParseError, fmt::format("a line must be one JSON text: {}", json.error().message)));
    return messages;
  }
  const JsonTape tape(*json);
  if (tape.kind(JsonTape::kRoot) != JsonTape::Kind::kArray) {
    messages.push_back(ReadMessage(tape, JsonTape::kRoot));
    return messages;
  }
  for (auto node = tape.FirstChild(JsonTape::kRoot); node != tape.End(JsonTape::kRoot);
       node = tape.Next(node)) {
    messages.push_back(ReadMessage(tape, node));
  }
  if (messages.empty()) messages.emplace_back(Refuse(RpcCode::kInvalidRequest, "a batch must not be empty"));
  return messages;
}

std::optional<JsonTape::Index> FindMember(const JsonTape& tape, JsonTape::Index object,
                                          std::string_view key) {
  if (tape.kind(object) != JsonTape::Kind::kObject) return std::nullopt;
  for (auto name = tape.FirstChild(object); name != tape.End(object);) {
    const JsonTape::Index value = tape.Next(name);
    if (tape.String(name) == key) return value;
    name = tape.Next(value);
  }
  return std::nullopt;
}

std::string ResponseText(std::string_view id, std::string_view result) {
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{}}})", id, result);
}

std::string ErrorText(const RpcError& error) {
  JsonWriter writer;
  writer.String(error.message);
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":{}}}}})",
                     error.id.empty() ? "null" : error.id, static_cast<int>(error.code), writer.text());
}

}  // namespace casemate::mcp
