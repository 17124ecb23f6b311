#include "egress/rules/client_hello.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace casemate::egress {
namespace {

using State = ClientHello::State;

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kRecordBytesMax = 16384;
constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kEncryptedClientHello = 0xfe0d;
constexpr std::uint16_t kEncryptedServerName = 0xffce;

// Reads big-endian numbers and vectors; once it has run over its end it stays failed and gives zeros.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return left_.empty(); }

  std::size_t Number(std::size_t width) {
    std::size_t value = 0;
    for (const std::uint8_t byte : Bytes(width)) value = value << 8 | byte;
    return value;
  }
  std::span<const std::uint8_t> Bytes(std::size_t count) {
    if (count > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  // A vector whose length is written before it in `width` bytes.
  std::span<const std::uint8_t> Vector(std::size_t width) { return Bytes(Number(width)); }

 private:
  std::span<const std::uint8_t> left_;
  bool ok_ = true;
};

bool ReadServerName(std::span<const std::uint8_t> extension, ClientHello& hello) {
  if (hello.has_name) return false;  // said twice
  Reader list(extension);
  Reader names(list.Vector(2));
  if (!list.ok() || !list.empty()) return false;
  const std::size_t type = names.Number(1);
  const auto name = names.Vector(2);
  // One name of the one type that there is.
  if (!names.ok() || !names.empty() || type != 0 || name.empty()) return false;
  hello.server_name.assign(name.begin(), name.end());
  hello.has_name = true;
  return true;
}

bool ReadExtensions(Reader& body, ClientHello& hello) {
  if (body.empty()) return true;  // TLS 1.2 may have none
  Reader extensions(body.Vector(2));
  if (!body.ok() || !body.empty()) return false;
  while (!extensions.empty()) {
    const std::size_t type = extensions.Number(2);
    const auto data = extensions.Vector(2);
    if (!extensions.ok()) return false;
    if (type == kServerName && !ReadServerName(data, hello)) return false;
    if (type == kEncryptedClientHello || type == kEncryptedServerName) hello.hides_name = true;
  }
  return extensions.ok();
}

bool ReadBody(std::span<const std::uint8_t> bytes, ClientHello& hello) {
  constexpr std::size_t kVersionAndRandom = 34;
  Reader body(bytes);
  body.Bytes(kVersionAndRandom);
  body.Vector(1);  // session id
  body.Vector(2);  // cipher suites
  body.Vector(1);  // compression methods
  return body.ok() && ReadExtensions(body, hello);
}

ClientHello Only(State state) {
  ClientHello hello;
  hello.state = state;
  return hello;
}

}  // namespace

ClientHello ReadClientHello(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> message;
  std::size_t at = 0;
  for (;;) {
    const auto rest = bytes.subspan(at);
    if (at == 0 && !rest.empty() && rest[0] != kHandshakeRecord) return Only(State::kNotTls);
    // The record layer's version is 3.x in every version of TLS.
    if (at == 0 && rest.size() >= 2 && rest[1] != 3) return Only(State::kNotTls);
    if (rest.size() >= 2 && (rest[0] != kHandshakeRecord || rest[1] != 3)) return Only(State::kInvalid);
    if (rest.size() < kRecordHeader) break;
    const std::size_t length = static_cast<std::size_t>(rest[3]) << 8 | rest[4];
    if (length == 0 || length > kRecordBytesMax) return Only(State::kInvalid);
    const auto part = rest.subspan(kRecordHeader).first(std::min(length, rest.size() - kRecordHeader));
    message.insert(message.end(), part.begin(), part.end());
    if (!message.empty() && message[0] != kClientHelloMessage) return Only(State::kInvalid);
    if (message.size() >= kMessageHeader) {
      Reader header(std::span<const std::uint8_t>(message).subspan(1));
      const std::size_t size = header.Number(3);
      if (size > kClientHelloBytesMax) return Only(State::kInvalid);
      if (message.size() > kMessageHeader + size) return Only(State::kInvalid);
      if (message.size() == kMessageHeader + size) {
        ClientHello hello;
        hello.state = State::kWhole;
        if (!ReadBody(std::span<const std::uint8_t>(message).subspan(kMessageHeader), hello))
          return Only(State::kInvalid);
        return hello;
      }
    }
    if (part.size() < length) break;
    at += kRecordHeader + length;
  }
  return Only(bytes.size() > 2 * kClientHelloBytesMax ? State::kInvalid : State::kMore);
}

}  // namespace casemate::egress
