#include "surfaces/http/web_socket.h"

// The plain function; EVP would load the provider machinery.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include <array>
#include <utility>

#include "base/utf8.h"
#include "model/base64.h"

namespace casemate::http {
namespace {

constexpr std::uint8_t kContinuation = 0;
constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kBinary = 2;
constexpr std::uint8_t kClose = 8;
constexpr std::uint8_t kPing = 9;
constexpr std::uint8_t kPong = 10;

constexpr std::uint16_t kProtocolError = 1002;
constexpr std::uint16_t kNotText = 1007;
constexpr std::uint16_t kTooBig = 1009;

constexpr std::size_t kControlBytesMax = 125;
constexpr std::size_t kMaskBytes = 4;

std::uint8_t Byte(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

std::uint8_t OpcodeOf(WsMessage::Kind kind) {
  switch (kind) {
    case WsMessage::Kind::kText:
      return kText;
    case WsMessage::Kind::kBinary:
      return kBinary;
    case WsMessage::Kind::kClose:
      return kClose;
    case WsMessage::Kind::kPing:
      return kPing;
    case WsMessage::Kind::kPong:
      break;
  }
  return kPong;
}

void AppendBigEndian(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8U * i) & 0xffU);
}

}  // namespace

std::optional<WsReader::Frame> WsReader::NextFrame() {
  if (unread_.size() < 2) return std::nullopt;
  const std::uint8_t first = Byte(unread_, 0);
  const std::uint8_t second = Byte(unread_, 1);
  Frame frame{(first & 0x80U) != 0, static_cast<std::uint8_t>(first & 0x0fU), {}};
  const bool control = frame.opcode >= kClose;
  // No extension was agreed on, and clients mask all that they send.
  if ((first & 0x70U) != 0 || (second & 0x80U) == 0) return Broken(kProtocolError);
  if (control && !frame.last) return Broken(kProtocolError);
  std::uint64_t size = second & 0x7fU;
  const unsigned extra = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (control && size > kControlBytesMax) return Broken(kProtocolError);
  const std::size_t head = 2 + extra + kMaskBytes;
  if (unread_.size() < head) return std::nullopt;
  if (extra > 0) {
    size = 0;
    for (unsigned i = 0; i < extra; ++i) size = size << 8U | Byte(unread_, 2 + i);
  }
  if (!control && (size > bytes_max_ || message_.bytes.size() > bytes_max_ - size)) return Broken(kTooBig);
  if (unread_.size() - head < size) return std::nullopt;
  frame.bytes = unread_.substr(head, size);
  for (std::size_t i = 0; i < frame.bytes.size(); ++i) {
    const auto masked = static_cast<std::uint8_t>(frame.bytes[i]);
    frame.bytes[i] = static_cast<char>(masked ^ Byte(unread_, head - kMaskBytes + i % kMaskBytes));
  }
  unread_.erase(0, head + size);
  return frame;
}

std::optional<WsMessage> WsReader::Take(Frame frame) {
  switch (frame.opcode) {
    case kClose:
      return WsMessage{WsMessage::Kind::kClose, std::move(frame.bytes)};
    case kPing:
      return WsMessage{WsMessage::Kind::kPing, std::move(frame.bytes)};
    case kPong:
      return WsMessage{WsMessage::Kind::kPong, std::move(frame.bytes)};
    case kText:
    case kBinary:
      if (in_message_) return Broken(kProtocolError);
      message_ = {frame.opcode == kText ? WsMessage::Kind::kText : WsMessage::Kind::kBinary, {}};
      in_message_ = true;
      break;
    case kContinuation:
      if (!in_message_) return Broken(kProtocolError);
      break;
    default:
      return Broken(kProtocolError);
  }
  message_.bytes += frame.bytes;
  if (!frame.last) return std::nullopt;
  in_message_ = false;
  WsMessage whole = std::exchange(message_, {});
  if (whole.kind == WsMessage::Kind::kText && !IsValidUtf8(whole.bytes)) return Broken(kNotText);
  return whole;
}

std::optional<WsMessage> WsReader::Next() {
  while (error_ == 0) {
    auto frame = NextFrame();
    if (!frame) return std::nullopt;
    if (auto message = Take(*std::move(frame))) return message;
  }
  return std::nullopt;
}

std::string WsFrame(WsMessage::Kind kind, std::string_view bytes) {
  std::string frame;
  frame.reserve(bytes.size() + 10);
  frame += static_cast<char>(0x80U | OpcodeOf(kind));
  if (bytes.size() < 126) {
    frame += static_cast<char>(bytes.size());
  } else if (bytes.size() <= 0xffffU) {
    frame += static_cast<char>(126);
    AppendBigEndian(frame, bytes.size(), 2);
  } else {
    frame += static_cast<char>(127);
    AppendBigEndian(frame, bytes.size(), 8);
  }
  return frame.append(bytes);
}

std::string WsClose(std::uint16_t status, std::string_view reason) {
  std::string bytes;
  AppendBigEndian(bytes, status, 2);
  bytes += reason.substr(0, kControlBytesMax - 2);
  return WsFrame(WsMessage::Kind::kClose, bytes);
}

std::optional<std::string> WsAccept(std::string_view key) {
  constexpr std::size_t kKeyBytes = 16;
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const auto nonce = DecodeBase64(key);
  if (!nonce || nonce->size() != kKeyBytes) return std::nullopt;
  const std::string text = std::string(key).append(kGuid);
  SHA_CTX context;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1_Init(&context);
  SHA1_Update(&context, text.data(), text.size());
  SHA1_Final(digest.data(), &context);
  return EncodeBase64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace casemate::http
