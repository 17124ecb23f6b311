#include "ship/otlp_protobuf.h"

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cstdint>
#include <optional>

namespace casemate::ship {
namespace {

namespace json = boost::json;

// opentelemetry-proto 1.x: logs.proto, trace.proto, common.proto, resource.proto and the collector's
// services.
enum class Message {
  kExport,
  kResourceItems,
  kResource,
  kScopeItems,
  kScope,
  kLog,
  kSpan,
  kStatus,
  kPair,
  kAny
};
enum class Kind { kMessage, kText, kHex, kFixed64, kVarint };
struct Field {
  Message of;
  std::string_view name;
  unsigned number;
  Kind kind;
  Message message = Message::kAny;
};
constexpr std::array kFields = {
    Field{Message::kExport, "resourceLogs", 1, Kind::kMessage, Message::kResourceItems},
    Field{Message::kExport, "resourceSpans", 1, Kind::kMessage, Message::kResourceItems},
    Field{Message::kResourceItems, "resource", 1, Kind::kMessage, Message::kResource},
    Field{Message::kResourceItems, "scopeLogs", 2, Kind::kMessage, Message::kScopeItems},
    Field{Message::kResourceItems, "scopeSpans", 2, Kind::kMessage, Message::kScopeItems},
    Field{Message::kResource, "attributes", 1, Kind::kMessage, Message::kPair},
    Field{Message::kScopeItems, "scope", 1, Kind::kMessage, Message::kScope},
    Field{Message::kScopeItems, "logRecords", 2, Kind::kMessage, Message::kLog},
    Field{Message::kScopeItems, "spans", 2, Kind::kMessage, Message::kSpan},
    Field{Message::kScope, "name", 1, Kind::kText},
    Field{Message::kLog, "timeUnixNano", 1, Kind::kFixed64},
    Field{Message::kLog, "severityNumber", 2, Kind::kVarint},
    Field{Message::kLog, "severityText", 3, Kind::kText},
    Field{Message::kLog, "body", 5, Kind::kMessage, Message::kAny},
    Field{Message::kLog, "attributes", 6, Kind::kMessage, Message::kPair},
    Field{Message::kLog, "traceId", 9, Kind::kHex},
    Field{Message::kLog, "spanId", 10, Kind::kHex},
    Field{Message::kLog, "observedTimeUnixNano", 11, Kind::kFixed64},
    Field{Message::kSpan, "traceId", 1, Kind::kHex},
    Field{Message::kSpan, "spanId", 2, Kind::kHex},
    Field{Message::kSpan, "traceState", 3, Kind::kText},
    Field{Message::kSpan, "parentSpanId", 4, Kind::kHex},
    Field{Message::kSpan, "name", 5, Kind::kText},
    Field{Message::kSpan, "kind", 6, Kind::kVarint},
    Field{Message::kSpan, "startTimeUnixNano", 7, Kind::kFixed64},
    Field{Message::kSpan, "endTimeUnixNano", 8, Kind::kFixed64},
    Field{Message::kSpan, "attributes", 9, Kind::kMessage, Message::kPair},
    Field{Message::kSpan, "status", 15, Kind::kMessage, Message::kStatus},
    Field{Message::kStatus, "message", 2, Kind::kText},
    Field{Message::kStatus, "code", 3, Kind::kVarint},
    Field{Message::kPair, "key", 1, Kind::kText},
    Field{Message::kPair, "value", 2, Kind::kMessage, Message::kAny},
    Field{Message::kAny, "stringValue", 1, Kind::kText},
    Field{Message::kAny, "intValue", 3, Kind::kVarint},
};

constexpr unsigned kWireVarint = 0;
constexpr unsigned kWireFixed64 = 1;
constexpr unsigned kWireBytes = 2;
constexpr unsigned kWireFixed32 = 5;

void PutVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
  out += static_cast<char>(value);
}

void PutKey(std::string& out, unsigned number, unsigned wire) { PutVarint(out, number << 3U | wire); }

void PutBytes(std::string& out, unsigned number, std::string_view bytes) {
  PutKey(out, number, kWireBytes);
  PutVarint(out, bytes.size());
  out += bytes;
}

// 64-bit numbers are texts in OTLP's JSON.
std::int64_t NumberOf(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  std::int64_t number = 0;
  if (value.is_string()) {
    const json::string& text = value.get_string();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

std::string BytesOf(std::string_view hex) {
  std::string bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    unsigned byte = 0;
    std::from_chars(hex.data(), hex.data() + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

std::string Encode(Message message, const json::object& object);

void PutField(std::string& out, const Field& field, const json::value& value) {  // NOLINT(misc-no-recursion)
  switch (field.kind) {
    case Kind::kMessage:
      if (value.is_object()) PutBytes(out, field.number, Encode(field.message, value.get_object()));
      return;
    case Kind::kText:
      if (value.is_string()) PutBytes(out, field.number, std::string_view(value.get_string()));
      return;
    case Kind::kHex:
      if (value.is_string()) PutBytes(out, field.number, BytesOf(value.get_string()));
      return;
    case Kind::kFixed64: {
      PutKey(out, field.number, kWireFixed64);
      auto left = static_cast<std::uint64_t>(NumberOf(value));
      for (int i = 0; i < 8; ++i, left >>= 8U) out += static_cast<char>(left & 0xFFU);
      return;
    }
    case Kind::kVarint:
      PutKey(out, field.number, kWireVarint);
      PutVarint(out, static_cast<std::uint64_t>(NumberOf(value)));
      return;
  }
}

// As deep as the messages are.
std::string Encode(Message message, const json::object& object) {  // NOLINT(misc-no-recursion)
  std::string out;
  for (const Field& field : kFields) {
    const json::value* value = field.of == message ? object.if_contains(field.name) : nullptr;
    if (value == nullptr) continue;
    if (!value->is_array()) {
      PutField(out, field, *value);
      continue;
    }
    for (const json::value& item : value->get_array()) PutField(out, field, item);
  }
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  struct Piece {
    std::uint64_t number = 0;  // of the field
    std::uint64_t value = 0;   // of a varint
    std::string_view bytes;    // of what has a length
  };
  // Nothing at the end, and where the bytes stop to make sense.
  std::optional<Piece> Next() {
    const auto key = Varint();
    if (!key) return std::nullopt;
    Piece piece{*key >> 3U, 0, {}};
    switch (*key & 7U) {
      case kWireVarint: {
        const auto value = Varint();
        if (!value) return std::nullopt;
        piece.value = *value;
        return piece;
      }
      case kWireBytes: {
        const auto size = Varint();
        if (!size) return std::nullopt;
        return Take(*size, piece);
      }
      case kWireFixed64:
        return Take(8, piece);
      case kWireFixed32:
        return Take(4, piece);
      default:
        return std::nullopt;
    }
  }

 private:
  std::optional<Piece> Take(std::uint64_t size, Piece piece) {
    if (size > bytes_.size()) return std::nullopt;
    piece.bytes = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return piece;
  }
  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  std::string_view bytes_;
};

}  // namespace

std::string ProtobufOf(std::string_view json) {
  boost::system::error_code failed;
  const json::value value = json::parse({json.data(), json.size()}, failed);
  return failed || !value.is_object() ? "" : Encode(Message::kExport, value.get_object());
}

PartialSuccess ReadPartialSuccessProtobuf(std::string_view body) {
  PartialSuccess partial;
  Reader reader(body);
  while (const auto outer = reader.Next()) {
    if (outer->number != 1) continue;
    Reader inside(outer->bytes);
    while (const auto piece = inside.Next()) {
      if (piece->number == 1)
        partial.rejected = std::max<std::int64_t>(0, static_cast<std::int64_t>(piece->value));
      if (piece->number == 2) partial.message = std::string(piece->bytes);
    }
  }
  return partial;
}

}  // namespace casemate::ship
