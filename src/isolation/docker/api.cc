#include "isolation/docker/api.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <charconv>

#include "base/errno.h"
#include "base/parse_again.h"
#include "model/json.h"
#include "model/json_tape.h"

namespace casemate::docker {
namespace {

namespace beast = boost::beast::http;

// What this code is written against (Docker 20.10), and the oldest that has all of it.
constexpr int kWantedMinor = 41;
constexpr int kOldestMinor = 40;
constexpr std::size_t kBodyBytesMax = 64 << 20;

// Waits for `events`; false after the deadline.
bool Wait(int fd, short events, const Deadline& deadline) {
  for (;;) {
    pollfd entry{fd, events, 0};
    const int ready =
        poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(deadline.RemainingMs(), 1'000'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (deadline.Passed()) return false;
  }
}

// 0 or an errno.
int SendAll(int fd, std::string_view bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (!Wait(fd, POLLOUT, deadline)) return ETIMEDOUT;
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

// Bytes that came; 0 at the end, or a negative errno.
ssize_t ReceiveSome(int fd, std::string& buffer, const Deadline& deadline) {
  std::array<char, 16384> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    const ssize_t count = recv(fd, bytes.data(), bytes.size(), 0);
    if (count >= 0) {
      buffer.append(bytes.data(), static_cast<std::size_t>(count));
      return count;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -errno;
    if (!Wait(fd, POLLIN, deadline)) return -ETIMEDOUT;
  }
}

// Gives `parser` what it can take of `buffer`; false for what is no HTTP. `left_over` is kept between calls.
template <typename Parser>
bool Parse(Parser& parser, std::string& buffer, bool& left_over) {
  boost::beast::error_code error;
  while (!buffer.empty() && (!left_over || MayParseAgain(buffer)) && !parser.is_done()) {
    const std::size_t used = parser.put(boost::asio::const_buffer(buffer.data(), buffer.size()), error);
    buffer.erase(0, used);
    left_over = error == beast::error::need_more && parser.is_header_done() && parser.chunked();
    if (error == beast::error::need_more) return true;
    if (error) return false;
    if (used == 0) return true;
  }
  return true;
}

// The minor number of "1.41"; -1 for anything else.
int Minor(const std::string& version) {
  int minor = -1;
  if (!version.starts_with("1.")) return -1;
  std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return minor;
}

}  // namespace

std::string JsonAt(std::string_view json, std::initializer_list<std::string_view> path) {
  const auto parsed = ParseJson(json, {kBodyBytesMax, 64});
  if (!parsed) return "";
  const JsonTape tape(*parsed);
  JsonTape::Index node = JsonTape::kRoot;
  for (const std::string_view name : path) {
    if (tape.kind(node) != JsonTape::Kind::kObject) return "";
    JsonTape::Index child = tape.FirstChild(node);
    while (child != tape.End(node) && tape.String(child) != name) child = tape.Next(tape.Next(child));
    if (child == tape.End(node)) return "";
    node = tape.Next(child);
  }
  return tape.kind(node) == JsonTape::Kind::kString ? tape.String(node) : std::string(tape.text(node));
}

std::string Reply::message() const {
  const std::string message = JsonAt(body, {"message"});
  return message.empty() ? fmt::format("status {}", status) : message;
}

std::unexpected<Error> Api::Silent(std::string_view what, std::string_view cause) const {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the Docker Engine at {} does not answer {}: look at its log (journalctl -u docker), "
                  "restart it, or use another tier",
                  place_.Text(), what),
      std::string(cause));
}

std::string Api::Head(std::string_view method, std::string_view target) const {
  const std::string prefix = version_.empty() ? "" : "/v" + version_;
  return fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: casemate\r\n", method, prefix, target,
                     place_.local() ? "docker" : place_.host);
}

Expected<UniqueFd> Api::Open(std::string_view head, std::string_view body, const Deadline& deadline) const {
  auto fd = ConnectTo(place_, deadline.RemainingMs());
  if (!fd) return fd;
  int err = SendAll(fd->get(), head, deadline);
  if (err == 0) err = SendAll(fd->get(), body, deadline);
  if (err != 0) return Silent("a request", "send: " + ErrnoName(err));
  return fd;
}

Expected<Reply> Api::Read(int fd, std::string_view what, const Deadline& deadline) const {
  beast::response_parser<beast::string_body> parser;
  parser.eager(true);
  parser.body_limit(kBodyBytesMax);
  std::string buffer;
  bool left_over = false;
  while (!parser.is_done()) {
    const ssize_t count = ReceiveSome(fd, buffer, deadline);
    if (count < 0) return Silent(what, "recv: " + ErrnoName(static_cast<int>(-count)));
    if (count == 0 && !parser.got_some()) return Silent(what, "it closed the connection");
    if (count == 0) {
      boost::beast::error_code error;
      parser.put_eof(error);
      if (error || !parser.is_done()) return Silent(what, "it closed the connection");
      break;
    }
    if (!Parse(parser, buffer, left_over)) return Silent(what, "its answer is no HTTP");
  }
  return Reply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

Expected<Reply> Api::Call(std::string_view method, std::string_view target, std::string_view body,
                          std::int64_t timeout_ms) const {
  const Deadline deadline = Deadline::After(timeout_ms);
  std::string head = Head(method, target) + "Connection: close\r\n";
  if (!body.empty())
    head += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  else if (method == "POST")
    head += "Content-Length: 0\r\n";
  auto fd = Open(head + "\r\n", body, deadline);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return Read(fd->get(), fmt::format("{} {}", method, target), deadline);
}

Expected<Reply> Api::Upload(std::string_view target, const Source& write, std::int64_t timeout_ms) const {
  const Deadline deadline = Deadline::After(timeout_ms);
  const std::string head = Head("POST", target) +
                           "Connection: close\r\nContent-Type: application/x-tar\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
  auto fd = Open(head, {}, deadline);
  if (!fd) return std::unexpected(std::move(fd.error()));
  const auto send_piece = [&](std::string_view piece) -> Expected<void> {
    if (piece.empty()) return {};
    int err = SendAll(fd->get(), fmt::format("{:x}\r\n", piece.size()), deadline);
    if (err == 0) err = SendAll(fd->get(), piece, deadline);
    if (err == 0) err = SendAll(fd->get(), "\r\n", deadline);
    if (err == 0) return {};
    return Silent("an upload", "send: " + ErrnoName(err));
  };
  if (auto written = write(send_piece); !written) {
    // Why it stopped listening, when it says so, is the better answer.
    if (auto reply = Read(fd->get(), "an upload", Deadline::After(1000)); reply && !reply->ok()) return reply;
    return std::unexpected(std::move(written.error()));
  }
  if (const int err = SendAll(fd->get(), "0\r\n\r\n", deadline); err != 0)
    return Silent("an upload", "send: " + ErrnoName(err));
  return Read(fd->get(), "an upload", deadline);
}

Expected<Api::Stream> Api::Hijack(std::string_view target) const {
  const Deadline deadline = Deadline::After(kTimeoutMs);
  auto fd = Open(Head("POST", target) + "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
                 {}, deadline);
  if (!fd) return std::unexpected(std::move(fd.error()));
  beast::response_parser<beast::empty_body> parser;
  parser.skip(true);
  std::string buffer;
  bool left_over = false;
  while (!parser.is_header_done()) {
    const ssize_t count = ReceiveSome(fd->get(), buffer, deadline);
    if (count <= 0)
      return Silent("to attach",
                    count == 0 ? "it closed the connection" : ErrnoName(static_cast<int>(-count)));
    if (!Parse(parser, buffer, left_over)) return Silent("to attach", "its answer is no HTTP");
  }
  const auto status = parser.get().result_int();
  if (status != 101 && status != 200) return Silent("to attach", fmt::format("status {}", status));
  return Stream{*std::move(fd), std::move(buffer)};
}

Expected<std::string> Api::Negotiate() {
  auto reply = Call("GET", "/version");
  if (!reply) return std::unexpected(std::move(reply.error()));
  const int newest = Minor(JsonAt(reply->body, {"ApiVersion"}));
  const int oldest = Minor(JsonAt(reply->body, {"MinAPIVersion"}));
  if (!reply->ok() || newest < 0)
    return Silent("GET /version", reply->ok() ? "it is no Docker Engine" : reply->message());
  if (newest < kOldestMinor) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the Docker Engine at {} speaks version 1.{} of its API, and 1.{} is needed: update it "
                    "to Docker 19.03 or newer",
                    place_.Text(), newest, kOldestMinor));
  }
  version_ = fmt::format("1.{}", std::max(std::min(newest, kWantedMinor), oldest));
  return std::move(reply->body);
}

}  // namespace casemate::docker
