#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace casemate::http {

// The frames of RFC 6455 as a server reads and writes them. Boost.Beast's stream wants a thread or a loop
// that reads at all times, while here one thread writes a run's events and looks for the peer's words in
// between; so this is the codec alone, without a socket.

// A whole message, or a control frame, from the peer.
struct WsMessage {
  enum class Kind : std::uint8_t { kText, kBinary, kClose, kPing, kPong };
  Kind kind = Kind::kText;
  std::string bytes;
};

// Cuts what a peer sends into messages. After an error it takes nothing more.
class WsReader {
 public:
  // `bytes_max` of one message; more is an error (1009).
  explicit WsReader(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void Feed(std::string_view bytes) { unread_ += bytes; }
  // The next message, or nullopt when more must be fed, or after an error.
  std::optional<WsMessage> Next();
  // The status to close with (RFC 6455, 7.4.1) when the peer broke the protocol; 0: it has not.
  std::uint16_t error() const { return error_; }

 private:
  struct Frame {
    bool last = false;
    std::uint8_t opcode = 0;
    std::string bytes;
  };
  std::optional<Frame> NextFrame();
  std::optional<WsMessage> Take(Frame frame);
  std::nullopt_t Broken(std::uint16_t status) {
    error_ = status;
    return std::nullopt;
  }

  const std::size_t bytes_max_;
  std::string unread_;
  bool in_message_ = false;
  WsMessage message_;  // of which a part has come
  std::uint16_t error_ = 0;
};

// One whole frame, unmasked, as servers send them.
std::string WsFrame(WsMessage::Kind kind, std::string_view bytes);
// A close frame; `reason` is cut to what fits.
std::string WsClose(std::uint16_t status, std::string_view reason);

// The Sec-WebSocket-Accept for a Sec-WebSocket-Key; nullopt for what is no key (16 bytes in base64).
std::optional<std::string> WsAccept(std::string_view key);

}  // namespace casemate::http
