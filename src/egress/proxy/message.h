#pragma once

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "egress/proxy/settings.h"
#include "egress/proxy/stream.h"

namespace casemate::egress {

// Reads one HTTP message from a peer that may be hostile, with Boost.Beast's parser: its head as a whole, its
// body in pieces, without the framing that it came in. Whoever passes it on frames it anew, so that no two
// readers can disagree about where it ends.
template <bool kRequest>
class MessageReader {
 public:
  // `buffer` holds what has been read and not used; what is behind the message stays in it.
  MessageReader(Stream& stream, std::string& buffer) : stream_(stream), buffer_(buffer) {
    parser_.header_limit(kHeadBytesMax);
    parser_.body_limit(boost::none);
  }

  enum class State {
    kRead,
    kGone,     // the peer ended before the first byte
    kCut,      // or in the middle, or too slowly
    kTooLong,  // more than kHeadBytesMax
    kInvalid,  // no HTTP/1, or framed in a way that can be read in more than one
  };
  // The first byte may take `first_ms`, the whole head `head_ms` from then on.
  State ReadHead(std::int64_t first_ms, std::int64_t head_ms);
  // To be called before ReadHead() of the response to a HEAD.
  void NoBody() { parser_.skip(true); }

  // The next piece of the body, at least a byte; 0 at its end; -errno.
  ssize_t ReadBody(std::span<char> into, std::int64_t wait_ms);

  using Message =
      boost::beast::http::message<kRequest, boost::beast::http::buffer_body, boost::beast::http::fields>;
  const Message& head() const { return parser_.get(); }
  bool has_body() const { return !parser_.is_done(); }
  bool chunked() const { return parser_.chunked(); }
  std::optional<std::uint64_t> length() const;
  bool keep_alive() const { return parser_.keep_alive(); }

 private:
  bool FramingIsPlain() const;

  Stream& stream_;
  std::string& buffer_;
  bool left_over_ = false;  // what the buffer begins with has been parsed once
  boost::beast::http::parser<kRequest, boost::beast::http::buffer_body> parser_;
};

using RequestReader = MessageReader<true>;
using ResponseReader = MessageReader<false>;

inline std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// The header fields that are for the next hop alone (RFC 9110, 7.6.1), with those that Connection names.
bool IsHopByHop(std::string_view name, const boost::beast::http::fields& fields);

}  // namespace casemate::egress
