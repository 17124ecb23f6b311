// Theory of operation: one thread, one connection. A request is read by Boost.Beast's parser from a buffer of
// ours, so that the usual one costs a single recv(2) and its answer a single sendmsg(2). While a run goes on
// nobody reads here: the supervisor watches the connection for a hang-up instead, and bytes of a next request
// wait in the socket. shutdown(SHUT_RD) from another thread looks like a hang-up of the peer: an idle
// connection ends, and a run is cancelled while its answer can still be written.
#include "surfaces/http/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <string>

#include "base/awake.h"
#include "base/clock.h"
#include "surfaces/http/feed.h"
#include "surfaces/http/framing.h"
#include "surfaces/http/reply_writer.h"
#include "surfaces/http/socket.h"

namespace casemate::http {
namespace {

namespace beast = boost::beast::http;

using Parser = beast::request_parser<beast::string_body>;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Waits for bytes until `deadline`; `wait_for` is set when none came in time.
Wire::Io ReadSome(Wire& wire, ReadBuffer& buffer, const Deadline& deadline) {
  // Who sends a byte at a time, each of them in time, must not go on for ever.
  if (deadline.Passed()) return {0, POLLIN};
  for (;;) {
    const Wire::Io io = wire.Read(buffer.Room());
    if (io.wait_for == 0 || !WaitFor(wire.fd(), io.wait_for, deadline.RemainingMs())) return io;
  }
}

// Takes and forgets what a peer still sends whose request was refused, so that it gets to read why instead of
// a broken pipe.
void Linger(Wire& wire, ReadBuffer& buffer, const Deadline& deadline) {
  wire.EndWriting();
  for (;;) {
    buffer.Consume(buffer.unread().size());
    if (ReadSome(wire, buffer, deadline).count == 0) return;
  }
}

// A peer that asked again so soon after an answer is likely to do so after the next.
constexpr std::int64_t kSoonUs = 150;

class Connection {
 public:
  Connection(Wire& wire, const PeerInfo& peer, Handler& handler, const ServerLimits& limits,
             std::atomic<bool>& busy)
      : wire_(wire), peer_(peer), handler_(handler), limits_(limits), busy_(busy) {}

  void Serve() {
    if (!wire_.Begin(Deadline::After(limits_.header_ms))) return;
    while (ServeOne()) {
    }
    wire_.EndWriting();
  }

 private:
  enum class Read { kRequest, kGone, kRefused };

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
        Linger(wire_, buffer_, Deadline::After(kLingerMs));
        return false;
      case Read::kRequest:
        break;
    }
    busy_ = true;
    const bool more = Answer(parser);
    answered_at_us_ = MonotonicUs();
    busy_ = false;
    return more && !handler_.draining();
  }

  bool Answer(const Parser& parser) {
    const auto& message = parser.get();
    const bool http11 = message.version() >= 11;
    ReplyWriter reply(wire_, buffer_,
                      {.keep_alive = message.keep_alive() && http11 && !handler_.draining(),
                       .chunked = http11,
                       .head_only = message.method() == beast::verb::head,
                       .write_ms = limits_.write_ms});
    Request request;
    request.method = View(message.method_string());
    request.target = View(message.target());
    request.accept = View(message[beast::field::accept]);
    request.body = message.body();
    request.trace_parent = View(message["traceparent"]);
    request.trace_state = View(message["tracestate"]);
    request.host = View(message[beast::field::host]);
    request.caller = peer_.caller;
    request.trusted = peer_.trusted;
    request.field = [&message](std::string_view name) { return View(message[{name.data(), name.size()}]); };
    handler_.Handle(request, reply);
    return reply.reusable();
  }

  Read ReadRequest(Parser& parser) {
    Deadline whole = Deadline::After(limits_.request_ms);
    Deadline fields = Deadline::After(limits_.header_ms);
    // Bytes that came with the request before.
    bool begun = !buffer_.empty();
    bool fields_done = false;
    for (;;) {
      const auto error = Feed(parser, buffer_);
      if (error) return Refuse(error);
      if (parser.is_header_done() && !fields_done) {
        fields_done = true;
        if (const auto why = Ambiguity(parser.get(), peer_.networked)) {
          return Refuse(400, fmt::format("the request can be read in two ways: {}", *why));
        }
        if (!parser.is_done() && !TellToContinue(parser)) return Read::kGone;
      }
      if (parser.is_done()) return Read::kRequest;
      if (!begun) AwaitSoon();
      const Deadline idle = Deadline::After(limits_.idle_ms);
      const Deadline& deadline = !begun ? idle : fields_done ? whole : fields;
      const Wire::Io io = ReadSome(wire_, buffer_, begun ? deadline : idle);
      if (io.wait_for != 0) {
        return begun ? Refuse(408, "the request did not come to its end in time") : Read::kGone;
      }
      if (io.count == 0) return Read::kGone;
      buffer_.Filled(io.count);
      if (!begun) {
        asks_soon_ = MonotonicUs() - answered_at_us_ < kSoonUs;
        whole = Deadline::After(limits_.request_ms);
        fields = Deadline::After(limits_.header_ms);
      }
      begun = true;
    }
  }

  void AwaitSoon() {
    if (!asks_soon_ || wire_.HasUnread()) return;
    pollfd entry{wire_.fd(), POLLIN, 0};
    (void)PollAwake({&entry, 1}, answered_at_us_ + kSoonUs);
  }

  // RFC 9110, 10.1.1: who expects it waits with the body until it has come.
  bool TellToContinue(const Parser& parser) {
    if (parser.get().version() < 11 ||
        !boost::beast::iequals(parser.get()[beast::field::expect], "100-continue")) {
      return true;
    }
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    return wire_.Write(kContinue, {}).count == kContinue.size();
  }

  Read Refuse(const boost::beast::error_code& error) {
    if (error == beast::error::header_limit) {
      return Refuse(431, "the request's line and fields are too long: shorten them");
    }
    if (error == beast::error::body_limit || error == beast::error::buffer_overflow) {
      return Refuse(413, fmt::format("a request has at most {} bytes", limits_.body_bytes_max));
    }
    return Refuse(400, fmt::format("the request is not HTTP/1.1: {}", error.message()));
  }

  Read Refuse(int status, std::string_view message) {
    ReplyWriter reply(wire_, buffer_, {.keep_alive = false, .write_ms = limits_.write_ms});
    reply.Send(ErrorAnswer(status, "invalid_request", message));
    return Read::kRefused;
  }

  Wire& wire_;
  const PeerInfo& peer_;
  Handler& handler_;
  const ServerLimits& limits_;
  std::atomic<bool>& busy_;
  ReadBuffer buffer_;
  std::int64_t answered_at_us_ = 0;
  bool asks_soon_ = false;
};

}  // namespace

PeerInfo LocalPeer(int fd) {
  const auto uid = PeerUid(fd);
  return {uid ? fmt::format("uid:{}", *uid) : "unknown", true, false};
}

void ServeConnection(Wire& wire, const PeerInfo& peer, Handler& handler, const ServerLimits& limits,
                     std::atomic<bool>& busy) noexcept {
  try {
    Connection(wire, peer, handler, limits, busy).Serve();
  } catch (const std::exception&) {
    // Out of memory for this peer's request; others go on.
    busy = false;
  }
}

void TurnAway(Wire& wire, std::int64_t linger_ms) noexcept {
  try {
    const Deadline deadline = Deadline::After(linger_ms);
    if (!wire.Begin(deadline)) return;
    ReadBuffer unread;
    ReplyWriter reply(wire, unread, {.keep_alive = false, .write_ms = linger_ms});
    reply.AddField("Retry-After", "1");
    reply.Send(ErrorAnswer(503, "unavailable", "too many connections: close some, or try again soon"));
    Linger(wire, unread, deadline);
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace casemate::http
