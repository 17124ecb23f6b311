#include "egress/proxy/message.h"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cerrno>

#include "base/clock.h"
#include "base/parse_again.h"

namespace casemate::egress {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t kPiece = 16384;

}  // namespace

template <bool kRequest>
MessageReader<kRequest>::State MessageReader<kRequest>::ReadHead(std::int64_t first_ms,
                                                                 std::int64_t head_ms) {
  Deadline deadline = Deadline::After(buffer_.empty() ? first_ms : head_ms);
  for (;;) {
    if (!buffer_.empty()) {
      boost::beast::error_code error;
      const std::size_t used = parser_.put(boost::asio::const_buffer(buffer_.data(), buffer_.size()), error);
      buffer_.erase(0, used);
      if (error == http::error::header_limit) return State::kTooLong;
      if (error && error != http::error::need_more) return State::kInvalid;
      if (parser_.is_header_done()) return FramingIsPlain() ? State::kRead : State::kInvalid;
      if (buffer_.size() > kHeadBytesMax) return State::kTooLong;
    }
    const bool first = buffer_.empty();
    std::array<char, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const ssize_t count = stream_.Read(piece, deadline.RemainingMs());
    if (count <= 0) return first ? State::kGone : State::kCut;
    if (first) deadline = Deadline::After(head_ms);
    buffer_.append(piece.data(), static_cast<std::size_t>(count));
  }
}

// Beast refuses a length beside a coding, and two lengths that differ. Left are codings of which readers know
// different ones, and repetitions.
template <bool kRequest>
bool MessageReader<kRequest>::FramingIsPlain() const {
  const auto& fields = parser_.get();
  const auto codings = fields.count(http::field::transfer_encoding);
  const auto lengths = fields.count(http::field::content_length);
  if (codings > 1 || lengths > 1 || (codings > 0 && lengths > 0)) return false;
  if (codings == 1 &&
      (!boost::beast::iequals(fields[http::field::transfer_encoding], "chunked") || fields.version() < 11))
    return false;
  // "5, 5" would be 5 for some.
  const std::string_view length = View(fields[http::field::content_length]);
  if (lengths == 1 && length.find_first_not_of("0123456789") != std::string_view::npos) return false;
  if (!kRequest) return true;
  // RFC 9112, 3.2: one Host, in HTTP/1.1 always.
  const auto hosts = fields.count(http::field::host);
  return hosts == 1 || (hosts == 0 && fields.version() < 11);
}

template <bool kRequest>
ssize_t MessageReader<kRequest>::ReadBody(std::span<char> into, std::int64_t wait_ms) {
  for (;;) {
    if (parser_.is_done()) return 0;
    boost::beast::error_code error;
    if (!buffer_.empty() && (!left_over_ || MayParseAgain(buffer_))) {
      auto& body = parser_.get().body();
      body.data = into.data();
      body.size = into.size();
      const std::size_t used = parser_.put(boost::asio::const_buffer(buffer_.data(), buffer_.size()), error);
      buffer_.erase(0, used);
      if (error && error != http::error::need_more && error != http::error::need_buffer) return -EBADMSG;
      left_over_ = error == http::error::need_more && parser_.chunked();
      const std::size_t got = into.size() - body.size;
      if (got > 0) return static_cast<ssize_t>(got);
      if (parser_.is_done()) return 0;
      if (used > 0 && !buffer_.empty() && !left_over_) continue;
      if (buffer_.size() > kHeadBytesMax) return -EBADMSG;  // a chunk's head or a trailer without an end
    }
    std::array<char, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const ssize_t count = stream_.Read(piece, wait_ms);
    if (count < 0) return count;
    if (count == 0) {
      parser_.put_eof(error);
      return error ? -EPIPE : 0;
    }
    buffer_.append(piece.data(), static_cast<std::size_t>(count));
  }
}

template <bool kRequest>
std::optional<std::uint64_t> MessageReader<kRequest>::length() const {
  const auto length = parser_.content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

template class MessageReader<true>;
template class MessageReader<false>;

bool IsHopByHop(std::string_view name, const http::fields& fields) {
  constexpr std::array<std::string_view, 10> kNames = {"connection",
                                                       "keep-alive",
                                                       "proxy-connection",
                                                       "proxy-authorization",
                                                       "proxy-authenticate",
                                                       "te",
                                                       "transfer-encoding",
                                                       "trailer",
                                                       "upgrade",
                                                       "content-length"};
  const boost::beast::string_view wanted(name.data(), name.size());
  if (std::ranges::any_of(kNames, [wanted](std::string_view known) {
        return boost::beast::iequals(wanted, boost::beast::string_view(known.data(), known.size()));
      }))
    return true;
  for (const auto& field : fields) {
    if (field.name() == http::field::connection && http::token_list(field.value()).exists(wanted))
      return true;
  }
  return false;
}

}  // namespace casemate::egress
