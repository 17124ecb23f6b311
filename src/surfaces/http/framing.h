#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string_view>

namespace casemate::http {

// Why two readers of this request's fields could see different messages in it, or nullopt. Such a request is
// refused and its connection ends (RFC 9112, 3.2 and 6.3): one that passed a proxy in another shape could
// smuggle a second one in. `needs_host`: over a network each HTTP/1.1 request has exactly one Host.
std::optional<std::string_view> Ambiguity(
    const boost::beast::http::request_header<boost::beast::http::fields>& header, bool needs_host);

}  // namespace casemate::http
