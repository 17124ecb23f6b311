// Theory of operation: one thread, one connection. A request is read by Boost.Beast's parser from a buffer of
// ours, so that the usual one costs a single recv(2) and its answer a single sendmsg(2). While a run goes on
// nobody reads here: the supervisor watches the connection for a hang-up instead, and bytes of a next request
// wait in the socket. shutdown(SHUT_RD) from another thread looks like a hang-up of the peer: an idle
// connection ends, and a run is cancelled while its answer can still be written.
#include "surfaces/http/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <fmt/format.h>
#include <algorithm>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <exception>

#include "base/clock.h"
#include "surfaces/http/feed.h"
#include "surfaces/http/reply_writer.h"
#include "surfaces/http/socket.h"

namespace casemate::http {
namespace {

namespace beast = boost::beast::http;

using Parser = beast::request_parser<beast::string_body>;

// How long and how much is still taken from a peer whose request was refused half read, so that it gets to
// read why instead of a broken pipe.
constexpr std::int64_t kLingerMs = 2000;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

class Connection {
 public:
  Connection(int fd, Handler& handler, const ServerLimits& limits, std::atomic<bool>& busy)
      : fd_(fd), handler_(handler), limits_(limits), busy_(busy), caller_(CallerAt(fd)) {}

  void Serve() {
    timeval idle{};
    idle.tv_sec = limits_.idle_ms / 1000;
    idle.tv_usec = limits_.idle_ms % 1000 * 1000;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
    while (ServeOne()) {
    }
  }

 private:
  enum class Read { kRequest, kGone, kRefused };

  static std::string CallerAt(int fd) {
    const auto uid = PeerUid(fd);
    return uid ? fmt::format("uid:{}", *uid) : "unknown";
  }

  // False when the connection is of no more use.
  bool ServeOne() {
    Parser parser;
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
    parser.body_limit(limits_.body_bytes_max);
    switch (ReadRequest(parser)) {
      case Read::kGone:
        return false;
      case Read::kRefused:
        Linger();
        return false;
      case Read::kRequest:
        break;
    }
    busy_ = true;
    const bool more = Answer(parser);
    busy_ = false;
    return more && !handler_.draining();
  }

  bool Answer(const Parser& parser) {
    const auto& message = parser.get();
    const bool http11 = message.version() >= 11;
    ReplyWriter reply(fd_, {.keep_alive = message.keep_alive() && http11 && !handler_.draining(),
                            .chunked = http11,
                            .head_only = message.method() == beast::verb::head,
                            .write_ms = limits_.write_ms});
    handler_.Handle(
        {View(message.method_string()), View(message.target()), View(message[beast::field::accept]),
         message.body(), View(message["traceparent"]), caller_},
        reply);
    return reply.reusable();
  }

  Read ReadRequest(Parser& parser) {
    Deadline deadline = Deadline::After(limits_.request_ms);
    // Bytes that came with the request before.
    bool begun = !buffer_.empty();
    bool told_to_continue = false;
    for (;;) {
      const auto error = Feed(parser, buffer_);
      if (error) return Refuse(error);
      if (parser.is_done()) return Read::kRequest;
      if (parser.is_header_done() && !told_to_continue) {
        told_to_continue = true;
        if (!TellToContinue(parser)) return Read::kGone;
      }
      if (begun && !WaitReadable(deadline)) {
        Refuse(408, "the request did not come to its end in time");
        return Read::kRefused;
      }
      const auto room = buffer_.Room();
      const ssize_t count = ::recv(fd_, room.data(), room.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Read::kGone;
      buffer_.Filled(static_cast<std::size_t>(count));
      if (!begun) deadline = Deadline::After(limits_.request_ms);
      begun = true;
    }
  }

  bool WaitReadable(const Deadline& deadline) const {
    for (;;) {
      pollfd entry{fd_, POLLIN, 0};
      const int ready = ::poll(&entry, 1, static_cast<int>(deadline.RemainingMs()));
      if (ready > 0) return true;
      if (ready == 0) return false;
      if (errno != EINTR) return false;
    }
  }

  // RFC 9110, 10.1.1: who expects it waits with the body until it has come.
  bool TellToContinue(const Parser& parser) const {
    if (parser.get().version() < 11 ||
        !boost::beast::iequals(parser.get()[beast::field::expect], "100-continue")) {
      return true;
    }
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    return ::send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(kContinue.size());
  }

  Read Refuse(const boost::beast::error_code& error) {
    if (error == beast::error::header_limit) {
      Refuse(431, "the request's line and fields are too long");
    } else if (error == beast::error::body_limit || error == beast::error::buffer_overflow) {
      Refuse(413, fmt::format("a request has at most {} bytes", limits_.body_bytes_max));
    } else {
      Refuse(400, fmt::format("the request is not HTTP/1.1: {}", error.message()));
    }
    return Read::kRefused;
  }

  void Refuse(int status, std::string_view message) {
    ReplyWriter reply(fd_, {.keep_alive = false, .write_ms = limits_.write_ms});
    reply.Send(ErrorAnswer(status, "invalid_request", message));
  }

  void Linger() {
    ::shutdown(fd_, SHUT_WR);
    const Deadline deadline = Deadline::After(kLingerMs);
    while (!deadline.Passed() && WaitReadable(deadline)) {
      buffer_.Consume(buffer_.unread().size());
      const auto room = buffer_.Room();
      const ssize_t count = ::recv(fd_, room.data(), room.size(), MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) return;
    }
  }

  int fd_;
  Handler& handler_;
  const ServerLimits& limits_;
  std::atomic<bool>& busy_;
  const std::string caller_;
  ReadBuffer buffer_;
};

}  // namespace

void ServeConnection(int fd, Handler& handler, const ServerLimits& limits, std::atomic<bool>& busy) noexcept {
  try {
    Connection(fd, handler, limits, busy).Serve();
  } catch (const std::exception&) {
    // Out of memory for this peer's request; others go on.
    busy = false;
  }
}

void RefuseConnection(int fd) noexcept {
  try {
    ReplyWriter reply(fd, {.keep_alive = false, .write_ms = 0});
    reply.Send(ErrorAnswer(503, "unavailable", "too many connections; close some, or try again soon"));
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace casemate::http
