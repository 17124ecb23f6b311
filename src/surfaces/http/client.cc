// Theory of operation: the request's fields go first, with "Expect: 100-continue", and its body only when the
// engine has answered that. An engine that is stopped or overwhelmed is found out in that way before it holds
// anything that it could run later, when its client has long gone another way.
#include "surfaces/http/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <exception>
#include <optional>

#include "base/clock.h"
#include "base/errno.h"
#include "model/event_json.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "surfaces/http/feed.h"
#include "surfaces/http/socket.h"

namespace casemate::http {
namespace {

namespace beast = boost::beast::http;

using Parser = beast::response_parser<beast::string_body>;

constexpr std::int64_t kAnswerMs = 2000;
constexpr std::uint64_t kAnswerBytesMax = 4ULL << 30;

std::unexpected<Error> Silent(const std::string& path, std::string_view cause) {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the engine at {} does not answer: restart it, or leave it out with --no-engine", path),
      std::string(cause));
}

// "detail" of a problem details object, or the text itself.
std::string ErrorMessage(const std::string& body) {
  std::string message = body.substr(0, 200);
  const auto json = ParseJson(body);
  if (!json) return message;
  const JsonTape tape(*json);
  (void)JsonField(tape, JsonTape::kRoot, "")
      .ForEachMember([&](const std::string& key, const JsonField& value) -> Expected<void> {
        if (const auto text = value.String(); key == "detail" && text) message = *text;
        return {};
      });
  return message;
}

class Exchange {
 public:
  Exchange(UniqueFd fd, const std::string& path, EventSink* sink, int cancel_fd)
      : fd_(std::move(fd)), path_(path), sink_(sink), cancel_fd_(cancel_fd) {}

  Expected<ExecutionResult> Run(std::string_view body) {
    if (auto offered = Offer(body.size()); !offered) return std::unexpected(std::move(offered.error()));
    const Deadline none = Deadline::After(std::int64_t{365} * 24 * 3600 * 1000);
    // Half a request is none: it has not run.
    if (!Send(body)) return Silent(path_, "send: " + ErrnoName(errno));
    NewParser();
    while (!parser_->is_done()) {
      if (!ReadSome(none)) return Lost("it ended, or its answer cannot be read");
      if (auto taken = TakeLines(); !taken) return Lost(taken.error().message);
      if (finished_) return std::move(result_);
    }
    return Finish();
  }

  Expected<std::string> Get(std::string_view target) {
    const Deadline deadline = Deadline::After(kAnswerMs);
    NewParser();
    if (!Send(fmt::format("GET {} HTTP/1.1\r\nHost: casemate\r\nConnection: close\r\n\r\n", target))) {
      return Silent(path_, "send: " + ErrnoName(errno));
    }
    while (!parser_->is_done()) {
      if (!ReadSome(deadline)) return Silent(path_, fmt::format("no answer to GET {}", target));
    }
    auto& answer = parser_->get();
    if (answer.result_int() != 200) return Silent(path_, ErrorMessage(answer.body()));
    return std::move(answer.body());
  }

  Expected<HttpAnswer> Ask(std::string_view method, std::string_view target, std::string_view body) {
    const Deadline none = Deadline::After(std::int64_t{365} * 24 * 3600 * 1000);
    NewParser();
    const std::string head =
        fmt::format("{} {} HTTP/1.1\r\nHost: casemate\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    method, target, body.size());
    if (!Send(head) || !Send(body)) return Silent(path_, "send: " + ErrnoName(errno));
    while (!parser_->is_done()) {
      if (!ReadSome(none)) return Silent(path_, fmt::format("no answer to {} {}", method, target));
    }
    return HttpAnswer{static_cast<int>(parser_->get().result_int()), std::move(parser_->get().body())};
  }

 private:
  void NewParser() {
    parser_.emplace();
    parser_->eager(true);
    parser_->body_limit(kAnswerBytesMax);
  }

  // Until the engine asks for the body.
  Expected<void> Offer(std::size_t body_bytes) {
    const std::string head = fmt::format(
        "POST /v1/run HTTP/1.1\r\nHost: casemate\r\nAccept: {}\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        sink_ != nullptr ? "application/x-ndjson" : "application/json", body_bytes);
    if (!Send(head)) return Silent(path_, "send: " + ErrnoName(errno));
    const Deadline deadline = Deadline::After(kAnswerMs);
    NewParser();
    while (!parser_->is_done()) {
      if (!ReadSome(deadline)) return Silent(path_, "no answer to the offer of a request");
    }
    if (parser_->get().result_int() == 100) return {};
    return Refusal();
  }

  std::unexpected<Error> Refusal() const {
    const auto& answer = parser_->get();
    return Fail(
        answer.result_int() < 500 ? ErrorCode::kInvalidRequest : ErrorCode::kUnavailable,
        fmt::format("the engine at {} does not take the request: {}", path_, ErrorMessage(answer.body())));
  }

  Expected<ExecutionResult> Finish() {
    if (parser_->get().result_int() != 200) return Refusal();
    if (sink_ != nullptr) return Lost("its stream has no end");
    auto result = DecodeResult(parser_->get().body());
    if (!result) return Lost(result.error().message);
    return result;
  }

  // The request was taken, and what became of it is not known.
  ExecutionResult Lost(std::string_view why) const {
    ExecutionResult result;
    result.status = Status::kFailed;
    result.error = ProgramError{
        "casemate.internal",
        fmt::format("the engine at {} went away during the run, which may have begun: {}", path_, why), "",
        "look at the engine's own messages, and try again"};
    return result;
  }

  // Of a stream, the whole lines that have come. A refusal is no stream and stays where it is.
  Expected<void> TakeLines() {
    if (sink_ == nullptr || !parser_->is_header_done() || parser_->get().result_int() != 200) return {};
    std::string& body = parser_->get().body();
    std::size_t taken = 0;
    // Lines are long at times: what was searched before holds no end.
    for (std::size_t end = body.find('\n', searched_); end != std::string::npos && !finished_;
         end = body.find('\n', taken)) {
      auto last = ReadEventLine(std::string_view(body).substr(taken, end - taken), sink_, result_);
      if (!last) return std::unexpected(std::move(last.error()));
      finished_ = *last;
      taken = end + 1;
    }
    body.erase(0, taken);
    searched_ = body.size();
    return {};
  }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN) {
        pollfd entry{fd_.get(), POLLOUT, 0};
        if (::poll(&entry, 1, kSendMs) == 0) return false;
      } else if (errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  // Reads and parses what comes next. False at the end of the connection, after the deadline, and for what is
  // no HTTP.
  bool ReadSome(const Deadline& deadline) {
    for (;;) {
      const auto room = buffer_.Room();
      const ssize_t count = ::recv(fd_.get(), room.data(), room.size(), 0);
      if (count > 0) {
        buffer_.Filled(static_cast<std::size_t>(count));
        return !Feed(*parser_, buffer_);
      }
      if (count == 0 || (errno != EAGAIN && errno != EINTR)) return false;
      if (!Wait(deadline)) return false;
    }
  }

  bool Wait(const Deadline& deadline) {
    constexpr std::int64_t kHourMs = 3'600'000;
    std::array entries{pollfd{fd_.get(), POLLIN, 0}, pollfd{cancel_fd_, POLLIN, 0}};
    const auto wait_ms = static_cast<int>(std::min(deadline.RemainingMs(), kHourMs));
    const int ready = ::poll(entries.data(), entries.size(), wait_ms);
    if (ready == 0 && deadline.Passed()) return false;
    if (ready > 0 && entries[1].revents != 0) {
      // To the engine this is a hang-up, which cancels; its answer can still come.
      ::shutdown(fd_.get(), SHUT_WR);
      cancel_fd_ = -1;
    }
    return true;
  }

  static constexpr int kSendMs = 30'000;

  UniqueFd fd_;
  const std::string& path_;
  EventSink* sink_;
  int cancel_fd_;
  ReadBuffer buffer_;
  std::optional<Parser> parser_;
  std::size_t searched_ = 0;
  bool finished_ = false;
  ExecutionResult result_;
};

}  // namespace

Expected<ExecutionResult> RunAt(const std::string& socket_path, const ExecutionRequest& request,
                                EventSink* sink, int cancel_fd) {
  auto fd = Connect(socket_path);
  if (!fd) return std::unexpected(std::move(fd.error()));
  const auto body = EncodeRequest(request);
  if (!body) return std::unexpected(body.error());
  return Exchange(*std::move(fd), socket_path, sink, cancel_fd).Run(*body);
}

Expected<std::string> GetAt(const std::string& socket_path, std::string_view target) {
  auto fd = Connect(socket_path);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return Exchange(*std::move(fd), socket_path, nullptr, -1).Get(target);
}

Expected<HttpAnswer> AskAt(const std::string& socket_path, std::string_view method, std::string_view target,
                           std::string_view body) {
  auto fd = Connect(socket_path);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return Exchange(*std::move(fd), socket_path, nullptr, -1).Ask(method, target, body);
}

}  // namespace casemate::http
