#include "egress/proxy/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "egress/proxy/socks.h"
#include "egress/proxy/tunnel.h"

namespace casemate::egress {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

constexpr char kSocksVersion = 5;
// Replies of RFC 1928, 6.
constexpr char kSocksDone = 0;
constexpr char kSocksNotAllowed = 2;
constexpr char kSocksUnreachable = 4;
constexpr char kSocksNoSuchCommand = 7;

// How long what a refused client still sends is taken, so that it gets to read why.
constexpr std::int64_t kLingerMs = 1'000;

class Client {
 public:
  Client(int fd, Shared shared) : stream_(fd), shared_(shared) {}

  void Serve() {
    if (!ReadSome(shared_.settings.patience.idle_ms)) return;
    if (buffer_.front() == kSocksVersion) return ServeSocks();
    HttpForward forward(stream_, std::move(buffer_), std::nullopt, false, shared_);
    const auto to = forward.Run();
    buffer_ = forward.TakeBuffer();
    if (!to) return Linger();
    NoConnection why;
    auto dialed = shared_.dialer.Dial(*to, why);
    if (!dialed) {
      const std::string text = fmt::format("casemate: {}; {}\n", why.reason, why.remedy);
      stream_.Write(
          fmt::format("HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n"
                      "Connection: close\r\n\r\n{}",
                      why.refused ? "403 Forbidden" : "502 Bad Gateway", text.size(), text),
          shared_.settings.patience.head_ms);
      return Linger();
    }
    if (stream_.Write("HTTP/1.1 200 Connection established\r\n\r\n", shared_.settings.patience.head_ms))
      ServeTunnel(*to, *std::move(dialed));
  }

 private:
  bool ReadSome(std::int64_t wait_ms) {
    std::array<char, 4096> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const ssize_t count = stream_.Read(piece, wait_ms);
    if (count > 0) buffer_.append(piece.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  // Reads a message of SOCKS by `read`; false when there is none.
  template <typename Message>
  bool ReadMessage(Message (*read)(std::span<const std::uint8_t>), Message& message) {
    const Deadline deadline = Deadline::After(shared_.settings.patience.head_ms);
    for (;;) {
      message = read({reinterpret_cast<const std::uint8_t*>(buffer_.data()), buffer_.size()});
      if (message.state == SocksRead::State::kInvalid) return false;
      if (message.state == SocksRead::State::kRead) {
        buffer_.erase(0, message.used);
        return true;
      }
      if (!ReadSome(deadline.RemainingMs())) return false;
    }
  }

  bool Reply(char reply) {
    // The address that follows is of no use to a client of a proxy.
    std::string text = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s;
    text[1] = reply;
    return stream_.Write(text, shared_.settings.patience.head_ms);
  }

  void ServeSocks() {
    SocksGreeting greeting;
    if (!ReadMessage(ReadSocksGreeting, greeting)) return;
    const std::int64_t wait_ms = shared_.settings.patience.head_ms;
    if (!greeting.offers_no_authentication) {
      stream_.Write("\x05\xff"sv, wait_ms);
      return;
    }
    if (!stream_.Write("\x05\x00"sv, wait_ms)) return;
    SocksRequest request;
    if (!ReadMessage(ReadSocksRequest, request)) return;
    if (request.command != kSocksConnect) {
      shared_.journal.Refused(request.text, {false, "SOCKS5 was asked for something else than a connection",
                                             "the proxy carries TCP alone, from the inside out"});
      Reply(kSocksNoSuchCommand);
      return;
    }
    if (!request.destination) {
      shared_.journal.Refused(request.text, {false, "SOCKS5 was asked for a host that there cannot be",
                                             "name a host or an address"});
      Reply(kSocksNotAllowed);
      return;
    }
    NoConnection why;
    auto dialed = shared_.dialer.Dial(*request.destination, why);
    if (!dialed) {
      Reply(why.refused ? kSocksNotAllowed : kSocksUnreachable);
    } else if (Reply(kSocksDone)) {
      ServeTunnel(*request.destination, *std::move(dialed));
    }
  }

  void ServeTunnel(const Destination& to, Dialed server) {
    switch (OpenTunnel(stream_, server, to, buffer_, shared_)) {
      case Opening::kOther:
        return CarryTunnel(stream_.fd(), server, to, buffer_, shared_);
      case Opening::kHttp: {
        HttpForward forward(stream_, std::move(buffer_), to, false, shared_);
        forward.Adopt(std::move(server));
        forward.Run();
        return Linger();
      }
      case Opening::kLookInto:
        return LookInto(to, std::move(server));
      case Opening::kRefused:
        return Linger();
      case Opening::kGone:
        return;
    }
  }

  void LookInto(const Destination& to, Dialed server) {
    SSL_CTX* const context = shared_.authority->ContextFor(to.host);
    if (context == nullptr) return;
    const auto tls = TlsStream::Accept(stream_, context, buffer_, shared_.settings.patience.head_ms);
    if (!tls) {
      shared_.journal.Failed(
          to, "the program's TLS client does not take the proxy's certificate (SSL_CERT_FILE)");
      return;
    }
    HttpForward forward(*tls, {}, to, true, shared_);
    forward.Adopt(std::move(server));
    forward.Run();
    Linger();
  }

  // A socket that is closed with bytes unread in it takes back what was written to it.
  void Linger() {
    shutdown(stream_.fd(), SHUT_WR);
    std::array<char, 4096> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const Deadline deadline = Deadline::After(kLingerMs);
    while (!deadline.Passed() && stream_.Read(piece, deadline.RemainingMs()) > 0) {
    }
  }

  SocketStream stream_;
  std::string buffer_;
  Shared shared_;
};

}  // namespace

void ServeClient(int client, Shared shared) {
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Client(client, shared).Serve();
}

}  // namespace casemate::egress
