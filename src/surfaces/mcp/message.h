#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/result.h"
#include "model/json_tape.h"

namespace casemate::mcp {

// JSON-RPC 2.0's error codes.
enum class RpcCode {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
};

struct RpcError {
  RpcCode code = RpcCode::kInvalidRequest;
  std::string message;  // one sentence
  std::string id;       // of the request, as JSON; "" when it could not be read
};

// One JSON-RPC message of a client.
struct Message {
  enum class Kind { kRequest, kNotification, kResponse };
  Kind kind = Kind::kNotification;
  std::string id;                  // as JSON, in its compact form; "" for a notification
  std::string method;              // "" for a response
  std::optional<JsonText> params;  // an object
};

using ReadResult = std::expected<Message, RpcError>;

// Reads one line, which may be hostile: one message, or a batch of them (of protocol 2025-03-26). Never
// empty.
std::vector<ReadResult> ReadMessages(std::string_view line);

// A member of an object; nullopt when it is not there, or when `object` is none.
std::optional<JsonTape::Index> FindMember(const JsonTape& tape, JsonTape::Index object, std::string_view key);

// {"jsonrpc":"2.0","id":ID,"result":RESULT}, RESULT being JSON already.
std::string ResponseText(std::string_view id, std::string_view result);
std::string ErrorText(const RpcError& error);

}  // namespace casemate::mcp
