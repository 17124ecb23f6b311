// Theory of operation: the run has a thread of its own, which puts its events into a queue; the connection's
// thread alone reads and writes the connection. Each wakes the other through an eventfd. A peer that does not
// read holds up nothing but its own queue, which is bounded by what the run may write.
#include "surfaces/http/web_socket_run.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "model/event_json.h"
#include "model/request_json.h"
#include "surfaces/http/feed.h"
#include "surfaces/http/target.h"
#include "surfaces/http/web_socket.h"
#include "surfaces/http/wire.h"

namespace casemate::http {
namespace {

constexpr std::int64_t kRequestMs = 30'000;  // for the first message
constexpr std::int64_t kWriteMs = 30'000;    // in which the peer reads nothing
constexpr std::int64_t kIdleMs = 20'000;     // after which a ping shows whether it is there
constexpr std::uint16_t kNormal = 1000;
constexpr std::uint16_t kRefused = 1008;

void Wake(const UniqueFd& event) {
  const std::uint64_t one = 1;
  (void)!::write(event.get(), &one, sizeof one);
}

// Events on their way from the run's thread to the connection's.
class Outbox : public EventSink {
 public:
  Outbox() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void OnEvent(const Event& event) override {
    std::string line;
    AppendEventLine(line, event);
    line.pop_back();
    Put(WsFrame(WsMessage::Kind::kText, line));
  }
  void Put(std::string_view frame) {
    {
      const std::lock_guard lock(mutex_);
      frames_ += frame;
    }
    Wake(ready_);
  }
  // The last one; nothing follows.
  void Close(std::uint16_t status, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    frames_ += WsClose(status, reason);
    closed_ = true;
    Wake(ready_);
  }
  // What has come, appended to `to`; true when that is all.
  bool TakeTo(std::string& to) {
    std::uint64_t count = 0;
    (void)!::read(ready_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    to += std::exchange(frames_, {});
    return closed_;
  }
  int fd() const { return ready_.get(); }

 private:
  UniqueFd ready_;
  std::mutex mutex_;
  std::string frames_;
  bool closed_ = false;
};

class WebSocketRun {
 public:
  WebSocketRun(Runs& runs, const Request& asked, Reply::Raw raw)
      : runs_(runs),
        asked_(asked),
        wire_(*raw.wire),
        reader_(kRequestBytesMax),
        cancel_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const auto unread = raw.unread->unread();
    reader_.Feed({unread.data(), unread.size()});
    raw.unread->Consume(unread.size());
  }

  void Serve(const std::string& accept) {
    to_send_ =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept + "\r\n\r\n";
    const auto text = ReadRequest();
    if (!text) return;
    auto request = DecodeRequest(*text);
    if (!request) {
      Problem(ErrorAnswer(request.error()));
      return;
    }
    std::thread run([this, &request] { Run(*request); });
    Pump();
    // Whoever is gone does not wait for the rest.
    Wake(cancel_);
    run.join();
  }

 private:
  void Run(ExecutionRequest& request) {
    const auto result = runs_.Execute(request, asked_, &outbox_,
                                      {cancel_.get(), CancelWhen::kReadable, [this] { Wake(cancel_); }});
    if (result) return outbox_.Close(kNormal, "");
    outbox_.Put(WsFrame(WsMessage::Kind::kText, Line(result.error().ToAnswer())));
    outbox_.Close(kRefused, "");
  }

  static std::string Line(const Answer& problem) { return problem.body.substr(0, problem.body.size() - 1); }

  void Problem(const Answer& problem) {
    to_send_ += WsFrame(WsMessage::Kind::kText, Line(problem)) + WsClose(kRefused, "");
    SendAll();
  }

  std::optional<std::string> ReadRequest() {
    const Deadline deadline = Deadline::After(kRequestMs);
    while (!deadline.Passed()) {
      if (!SendAll()) return std::nullopt;
      while (auto message = reader_.Next()) {
        if (message->kind == WsMessage::Kind::kText || message->kind == WsMessage::Kind::kBinary) {
          return std::move(message->bytes);
        }
        if (!Control(*message)) {
          SendAll();
          return std::nullopt;
        }
      }
      if (reader_.error() != 0) {
        to_send_ += WsClose(reader_.error(), "");
        SendAll();
        return std::nullopt;
      }
      if (!SendAll() || !Receive(deadline.RemainingMs())) return std::nullopt;
    }
    return std::nullopt;
  }

  // Answers what is no request; false when the peer is done.
  bool Control(const WsMessage& message) {
    switch (message.kind) {
      case WsMessage::Kind::kPing:
        to_send_ += WsFrame(WsMessage::Kind::kPong, message.bytes);
        return true;
      case WsMessage::Kind::kClose:
        to_send_ += WsFrame(WsMessage::Kind::kClose, std::string_view(message.bytes).substr(0, 2));
        return false;
      case WsMessage::Kind::kText:
      case WsMessage::Kind::kBinary:
        Wake(cancel_);
        return true;
      case WsMessage::Kind::kPong:
        break;
    }
    return true;
  }

  // Until all events are sent and the close is, or the peer is gone.
  void Pump() {
    bool last = false;
    Deadline moved = Deadline::After(kWriteMs);
    for (;;) {
      if (!last) last = outbox_.TakeTo(to_send_);
      const auto sent = SendSome();
      if (!sent) return;
      if (*sent || to_send_.empty()) moved = Deadline::After(kWriteMs);
      if (last && to_send_.empty()) return;
      if (moved.Passed()) return;
      std::array entries{pollfd{wire_.fd(), static_cast<short>(POLLIN | (to_send_.empty() ? 0 : POLLOUT)), 0},
                         pollfd{outbox_.fd(), POLLIN, 0}};
      const int ready = ::poll(entries.data(), entries.size(), wire_.HasUnread() ? 0 : kIdleMs);
      if (ready == 0 && to_send_.empty() && !wire_.HasUnread())
        to_send_ += WsFrame(WsMessage::Kind::kPing, "");
      if ((wire_.HasUnread() || (entries[0].revents & ~POLLOUT) != 0) && !TakeWords()) return;
    }
  }

  // What the peer says while its program runs; false when it is gone.
  bool TakeWords() {
    if (!Receive(0)) return false;
    while (auto message = reader_.Next()) {
      if (Control(*message)) continue;
      SendAll();
      return false;
    }
    if (reader_.error() == 0) return true;
    to_send_ += WsClose(reader_.error(), "");
    SendAll();
    return false;
  }

  // Reads what is there, waiting `wait_ms` for the first of it; false at the end.
  bool Receive(std::int64_t wait_ms) {
    std::array<char, 16384> room{};
    for (;;) {
      const Wire::Io io = wire_.Read(room);
      if (io.ended()) return false;
      if (io.count > 0) {
        reader_.Feed({room.data(), io.count});
        return true;
      }
      if (wait_ms == 0) return true;
      if (!WaitFor(wire_.fd(), io.wait_for, wait_ms)) return false;
    }
  }

  // Whether anything went; nullopt when the peer is gone.
  std::optional<bool> SendSome() {
    std::size_t sent = 0;
    while (sent < to_send_.size()) {
      const Wire::Io io = wire_.Write(std::string_view(to_send_).substr(sent), {});
      if (io.ended()) return std::nullopt;
      if (io.count == 0) break;
      sent += io.count;
    }
    to_send_.erase(0, sent);
    return sent > 0;
  }

  bool SendAll() {
    while (!to_send_.empty()) {
      const auto sent = SendSome();
      if (!sent) return false;
      if (!to_send_.empty() && !WaitFor(wire_.fd(), POLLOUT, kWriteMs)) return false;
    }
    return true;
  }

  Runs& runs_;
  const Request& asked_;
  Wire& wire_;
  WsReader reader_;
  UniqueFd cancel_;
  Outbox outbox_;
  std::string to_send_;
};

}  // namespace

void RunOverWebSocket(Runs& runs, const Request& asked, Reply& reply) {
  const auto accept = WsAccept(asked.field("Sec-WebSocket-Key"));
  if (!ListHasToken(asked.field("Upgrade"), "websocket") ||
      !ListHasToken(asked.field("Connection"), "upgrade") || !accept ||
      asked.field("Sec-WebSocket-Version") != "13") {
    reply.AddField("Upgrade", "websocket");
    reply.AddField("Sec-WebSocket-Version", "13");
    return reply.Send(ErrorAnswer(426, "upgrade_required",
                                  "GET /v1/run is a WebSocket: ask for one (RFC 6455), or use POST"));
  }
  const Reply::Raw raw = reply.TakeOver();
  WebSocketRun(runs, asked, raw).Serve(*accept);
}

}  // namespace casemate::http
