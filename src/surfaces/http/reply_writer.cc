#include "surfaces/http/reply_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace casemate::http {
namespace {

// What a stream waits for a peer that reads. One that does not costs it once.
constexpr int kPatienceMs = 20;

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

bool Writable(int fd, std::int64_t timeout_ms) {
  pollfd entry{fd, POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, static_cast<int>(timeout_ms));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

void ReplyWriter::SendAll(std::string_view head, std::string_view body) {
  while (!broken_ && !(head.empty() && body.empty())) {
    // sendmsg(2) only reads what they point to.
    std::array<iovec, 2> parts{iovec{const_cast<char*>(head.data()), head.size()},
                               iovec{const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t count = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno != EAGAIN || !Writable(fd_, options_.write_ms))) {
      broken_ = true;
    } else if (count > 0) {
      const auto sent = static_cast<std::size_t>(count);
      const std::size_t of_head = std::min(sent, head.size());
      head.remove_prefix(of_head);
      body.remove_prefix(sent - of_head);
    }
  }
}

void ReplyWriter::Send(const Answer& answer) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", answer.status, Reason(answer.status));
  // RFC 9110, 8.6: no length of what cannot be there.
  if (answer.status != 204) {
    head +=
        fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", answer.content_type, answer.body.size());
  }
  if (!answer.allow.empty()) head += fmt::format("Allow: {}\r\n", answer.allow);
  head += options_.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  SendAll(head, options_.head_only ? std::string_view() : answer.body);
  done_ = true;
}

void ReplyWriter::BeginStream(std::string_view content_type) {
  pending_ = fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}{}\r\n", content_type,
                         options_.chunked ? "Transfer-Encoding: chunked\r\n" : "",
                         options_.keep_alive ? "" : "Connection: close\r\n");
}

void ReplyWriter::Write(std::string_view bytes, bool flush) {
  if (broken_ || bytes.empty()) return;
  if (options_.chunked) pending_ += fmt::format("{:x}\r\n", bytes.size());
  pending_ += bytes;
  if (options_.chunked) pending_ += "\r\n";
  if (flush) FlushWhatFits();
}

// The calling thread watches a run's deadline, so that it must not wait for a peer who stands still; one who
// reads gets all, so that nothing of a burst stays here while the program then keeps silent.
void ReplyWriter::FlushWhatFits() {
  std::size_t sent = 0;
  while (!broken_ && sent < pending_.size()) {
    const ssize_t count =
        ::send(fd_, pending_.data() + sent, pending_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      stalled_ = false;
    } else if (errno == EAGAIN) {
      if (stalled_ || !Writable(fd_, kPatienceMs)) {
        stalled_ = true;
        break;
      }
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  pending_.erase(0, sent);
  if (broken_) pending_.clear();
}

void ReplyWriter::EndStream() {
  if (options_.chunked) pending_ += "0\r\n\r\n";
  SendAll(pending_, {});
  pending_.clear();
  done_ = true;
}

}  // namespace casemate::http
