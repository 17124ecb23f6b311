#include "surfaces/http/reply_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace casemate::http {
namespace {

// What a stream waits for a peer that reads. One that does not costs it once.
constexpr int kPatienceMs = 20;

}  // namespace

void ReplyWriter::SendAll(std::string_view head, std::string_view body) {
  while (!broken_ && !(head.empty() && body.empty())) {
    const Wire::Io io = wire_.Write(head, body);
    if (io.count == 0 && (io.wait_for == 0 || !WaitFor(wire_.fd(), io.wait_for, options_.write_ms))) {
      broken_ = true;
    }
    const std::size_t of_head = std::min(io.count, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(io.count - of_head);
  }
}

void ReplyWriter::AddField(std::string_view name, std::string_view value) {
  fmt::format_to(std::back_inserter(fields_), "{}: {}\r\n", name, value);
}

void ReplyWriter::Send(const Answer& answer) {
  const bool has_body = answer.status != 204;
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n{}", answer.status, ReasonPhrase(answer.status), fields_);
  if (has_body) {
    fmt::format_to(std::back_inserter(head), "Content-Type: {}\r\nContent-Length: {}\r\n",
                   answer.content_type, answer.body.size());
  }
  if (!answer.allow.empty()) head += fmt::format("Allow: {}\r\n", answer.allow);
  head += options_.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  SendAll(head, options_.head_only || !has_body ? std::string_view() : answer.body);
  done_ = true;
}

void ReplyWriter::BeginStream(std::string_view content_type) {
  pending_ = fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{}{}{}\r\n", content_type,
                         options_.chunked ? "Transfer-Encoding: chunked\r\n" : "", fields_,
                         options_.keep_alive ? "" : "Connection: close\r\n");
}

void ReplyWriter::Write(std::string_view bytes, bool flush) {
  if (broken_ || bytes.empty()) return;
  if (options_.chunked) fmt::format_to(std::back_inserter(pending_), "{:x}\r\n", bytes.size());
  pending_ += bytes;
  if (options_.chunked) pending_ += "\r\n";
  if (flush) FlushWhatFits();
}

bool ReplyWriter::WriteAndWait(std::string_view bytes) {
  Write(bytes, false);
  SendAll(pending_, {});
  pending_.clear();
  return !broken_;
}

// The calling thread watches a run's deadline, so that it must not wait for a peer who stands still; one who
// reads gets all, so that nothing of a burst stays here while the program then keeps silent.
void ReplyWriter::FlushWhatFits() {
  std::size_t sent = 0;
  while (!broken_ && sent < pending_.size()) {
    const Wire::Io io = wire_.Write(std::string_view(pending_).substr(sent), {});
    sent += io.count;
    if (io.count > 0) {
      stalled_ = false;
    } else if (io.wait_for == 0) {
      broken_ = true;
    } else if (stalled_ || !WaitFor(wire_.fd(), io.wait_for, kPatienceMs)) {
      stalled_ = true;
      break;
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

Reply::Raw ReplyWriter::TakeOver() {
  options_.keep_alive = false;
  return {&wire_, &unread_};
}

}  // namespace casemate::http
