#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <cstddef>
#include <memory>
#include <span>

#include "base/parse_again.h"

namespace casemate::http {

// Bytes that were read from a peer and not parsed yet. What is left after one message starts the next.
class ReadBuffer {
 public:
  static constexpr std::size_t kBytes = 65536;

  bool empty() const { return begin_ == end_; }
  bool full() const { return begin_ == 0 && end_ == kBytes; }
  std::span<const char> unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  void Consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room to read into; there is some unless it is full().
  std::span<char> Room() {
    if (end_ == kBytes) {
      std::copy(bytes_.get() + begin_, bytes_.get() + end_, bytes_.get());
      end_ -= begin_;
      begin_ = 0;
    }
    return {bytes_.get() + end_, kBytes - end_};
  }
  void Filled(std::size_t count) { end_ += count; }

  // Of a chunked body: what is left has been parsed once.
  void SetLeftOver(bool left_over) { left_over_ = left_over; }
  bool WaitsForMore() const { return left_over_ && !MayParseAgain({bytes_.get() + begin_, end_ - begin_}); }

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique_for_overwrite<char[]>(kBytes);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool left_over_ = false;
};

// Gives `parser` (of Boost.Beast, eager) what `buffer` holds, until its message is complete, more must be
// read, or there is an error: then that is returned.
template <typename Parser>
boost::beast::error_code Feed(Parser& parser, ReadBuffer& buffer) {
  boost::beast::error_code error;
  while (!buffer.empty() && !buffer.WaitsForMore() && !parser.is_done()) {
    const auto unread = buffer.unread();
    const std::size_t used = parser.put(boost::asio::const_buffer(unread.data(), unread.size()), error);
    buffer.Consume(used);
    const bool more = error == boost::beast::http::error::need_more;
    buffer.SetLeftOver(more && parser.is_header_done() && parser.chunked());
    if (more) {
      // One line of a message never fills the buffer, unless it is meant to.
      if (buffer.full()) return boost::beast::http::error::header_limit;
      return {};
    }
    if (error || used == 0) return error;
  }
  return error;
}

}  // namespace casemate::http
