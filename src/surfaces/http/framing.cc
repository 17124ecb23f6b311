#include "surfaces/http/framing.h"

#include <algorithm>

namespace casemate::http {

namespace beast = boost::beast::http;

std::optional<std::string_view> Ambiguity(const beast::request_header<beast::fields>& header,
                                          bool needs_host) {
  const auto count = [&header](beast::field name) { return header.count(name); };
  const bool coded = count(beast::field::transfer_encoding) > 0;
  if (coded && count(beast::field::content_length) > 0)
    return "it has a Content-Length and a Transfer-Encoding";
  if (count(beast::field::content_length) > 1) return "it has several Content-Lengths";
  // "0, 0" is what a proxy may have made of two of them.
  const auto length = header[beast::field::content_length];
  if (std::ranges::any_of(length, [](char c) { return c < '0' || c > '9'; })) {
    return "its Content-Length is no number";
  }
  if (coded && header.version() < 11) return "HTTP/1.0 has no Transfer-Encoding";
  if (coded && (count(beast::field::transfer_encoding) > 1 ||
                !boost::beast::iequals(header[beast::field::transfer_encoding], "chunked"))) {
    return "of transfer encodings there is chunked alone";
  }
  if (count(beast::field::host) > 1) return "it has several Hosts";
  if (needs_host && header.version() >= 11 && count(beast::field::host) == 0) return "it has no Host";
  return std::nullopt;
}

}  // namespace casemate::http
