#include "egress/proxy/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <cerrno>
#include <utility>

namespace casemate::egress {
namespace {

namespace http = boost::beast::http;

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kBodyPiece = 65536;
constexpr int kInterimMax = 16;  // responses 1xx before the one that counts

std::string_view Reason(int status) { return View(http::obsolete_reason(static_cast<http::status>(status))); }

// The text of an absolute-form target (RFC 9112, 3.2.2) in its parts.
struct AbsoluteTarget {
  std::string_view authority;
  std::string_view rest;  // path and query; may be empty
};
std::optional<AbsoluteTarget> SplitTarget(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  const std::string_view scheme = target.substr(0, kScheme.size());
  if (!boost::beast::iequals(boost::beast::string_view(scheme.begin(), scheme.size()), "http://"))
    return std::nullopt;
  target.remove_prefix(kScheme.size());
  const std::size_t end = std::min(target.find_first_of("/?#"), target.size());
  AbsoluteTarget split{target.substr(0, end), target.substr(end)};
  if (split.authority.contains('@') || split.rest.contains('#')) return std::nullopt;
  return split;
}

std::string OriginForm(std::string_view rest) {
  return rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
}

// RFC 9112, 3.2: without the port where it is the usual one; servers compare it as text.
std::string HostField(const Destination& to, bool secure) {
  const std::string whole = to.ToString();
  return to.port == (secure ? kHttpsPort : kHttpPort) ? whole.substr(0, whole.rfind(':')) : whole;
}

Verdict Fronting(std::string_view host, const Destination& to) {
  return {false, fmt::format("the Host field says {} in a request to {}", host.substr(0, 100), to.ToString()),
          "send the host's own name in Host; a request reaches no other host by it"};
}

}  // namespace

bool HttpForward::Refuse(int status, std::string_view text) {
  const std::string body = fmt::format("casemate: {}\n", text);
  client_.Write(
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n"
                  "Connection: close\r\n\r\n{}",
                  status, Reason(status), body.size(), body),
      shared_.settings.patience.head_ms);
  return false;
}

bool HttpForward::RefuseDestination(const std::string& what, const Verdict& verdict) {
  shared_.journal.Refused(what, verdict);
  return Refuse(403, fmt::format("{}; {}", verdict.reason, verdict.remedy));
}

bool HttpForward::Count(std::int64_t bytes, const Destination& to) {
  if (shared_.meter.Take(bytes)) return true;
  shared_.journal.Refused(to.ToString(),
                          {false, "the run has moved as many bytes as it may", "raise network.limits.bytes"});
  return false;
}

std::optional<Destination> HttpForward::Run() {
  std::optional<Destination> tunnel;
  while (ServeOne(tunnel)) {
  }
  return tunnel;
}

bool HttpForward::ServeOne(std::optional<Destination>& tunnel) {
  RequestReader reader(client_, buffer_);
  const Patience& patience = shared_.settings.patience;
  using State = RequestReader::State;
  switch (reader.ReadHead(patience.idle_ms, patience.head_ms)) {
    case State::kGone:
      return false;
    case State::kCut:
      return Refuse(408, "the request's head did not come to its end in time");
    case State::kTooLong:
      return Refuse(431, fmt::format("the head of a request has at most {} bytes", kHeadBytesMax));
    case State::kInvalid:
      return Refuse(400, "this is no HTTP/1 request that can be read in one way alone");
    case State::kRead:
      break;
  }
  if (!only_ && reader.head().method() == http::verb::connect) {
    tunnel = ParseAuthority(View(reader.head().target()), 0);
    if (!tunnel) Refuse(400, "CONNECT takes HOST:PORT, where HOST is a name or an address");
    return false;
  }
  auto request = Understand(reader);
  if (!request) return false;
  const Verdict verdict = shared_.settings.allow.MayRequest(request->to, request->method, request->target);
  if (!verdict) return RefuseDestination(request->to.ToString(), verdict);
  if (!WriteHead(reader, *request)) return false;
  return Pass(reader, *request);
}

// Nothing when it has been answered.
std::optional<HttpForward::Request> HttpForward::Understand(const RequestReader& reader) {
  const auto& head = reader.head();
  const std::string_view target = View(head.target());
  Request request;
  request.method = std::string(View(head.method_string()));
  std::optional<Destination> to = only_;
  if (const auto split = SplitTarget(target)) {
    to = ParseAuthority(split->authority, kHttpPort);
    request.target = OriginForm(split->rest);
  } else if (only_ && (target.starts_with('/') || target == "*") && !target.contains('#')) {
    request.target = target;
  } else {
    Refuse(400, "a proxy takes http://HOST[:PORT]/PATH, and CONNECT HOST:PORT for https");
    return std::nullopt;
  }
  if (!to) {
    Refuse(400, "the request names no host that there can be");
    return std::nullopt;
  }
  request.to = *std::move(to);
  const std::string_view host = View(head[http::field::host]);
  // RFC 9112, 3.2.2 would have the Host overwritten. One that differs is a mistake or a way around the
  // allowlist.
  const auto named = host.empty() ? request.to : ParseAuthority(host, only_ ? only_->port : kHttpPort);
  if (!named || named->ToString() != request.to.ToString()) {
    RefuseDestination(request.to.ToString(), Fronting(host, request.to));
    return std::nullopt;
  }
  if (only_ && request.to.ToString() != only_->ToString()) {
    RefuseDestination(only_->ToString(), Fronting(request.to.ToString(), *only_));
    return std::nullopt;
  }
  return request;
}

std::optional<Dialed> HttpForward::Dial(const Destination& to) {
  if (adopted_) return std::exchange(adopted_, std::nullopt);
  NoConnection why;
  auto dialed = shared_.dialer.Dial(to, why);
  if (!dialed) Refuse(why.refused ? 403 : 502, fmt::format("{}; {}", why.reason, why.remedy));
  return dialed;
}

bool HttpForward::Connect(const Destination& to, bool& fresh) {
  fresh = false;
  if (upstream_ && upstream_->to.ToString() == to.ToString()) return true;
  fresh = true;
  upstream_.reset();
  auto dialed = Dial(to);
  if (!dialed) return false;
  Upstream upstream{to, *std::move(dialed), nullptr, nullptr, {}};
  upstream.socket = std::make_unique<SocketStream>(upstream.dialed.fd.get());
  if (secure_) {
    std::string why = "OpenSSL fails";
    upstream.tls = TlsStream::Connect(*upstream.socket, shared_.client_tls, to.host,
                                      shared_.settings.patience.connect_ms, why);
    if (!upstream.tls) {
      const std::string reason = fmt::format("{} is not reached by TLS: {}", to.ToString(), why);
      shared_.journal.Failed(to, reason);
      return Refuse(502, reason + "; check its certificate");
    }
  }
  upstream_ = std::move(upstream);
  return true;
}

bool HttpForward::Pass(RequestReader& reader, const Request& request) {
  for (;;) {
    bool fresh = false;
    sent_ = received_ = 0;
    if (!Connect(request.to, fresh)) return false;
    const Address address = upstream_->dialed.address;
    // It goes before the answer: a client that has been told to go on sends its body.
    const bool has_body = reader.has_body();
    sent_ += static_cast<std::int64_t>(request.head.size());
    bool sent = Count(sent_, request.to) &&
                upstream_->stream().Write(request.head, shared_.settings.patience.idle_ms);
    if (sent && has_body) sent = SendBody(reader);
    if (!stray_.empty()) {
      shared_.journal.Moved(request.to, address, sent_, 0);
      upstream_.reset();
      return RefuseStray(request.to, stray_);
    }
    const Returned returned = ReturnResponse(reader, request);
    if (!fresh && returned == Returned::kNothing && !has_body) {
      // The server ended an idle connection (RFC 9112, 9.3.1).
      upstream_.reset();
      continue;
    }
    if (!fresh) shared_.journal.Allowed(request.to, address);
    shared_.journal.Moved(request.to, address, sent_, received_);
    if (returned == Returned::kNothing) {
      upstream_.reset();
      return Refuse(502, fmt::format("{} sent no response that can be passed on", request.to.ToString()));
    }
    return returned == Returned::kDone && sent && !reader.has_body();
  }
}

bool HttpForward::RefuseStray(const Destination& to, const std::string& secret) {
  return RefuseDestination(
      to.ToString(),
      {false, fmt::format("the placeholder of the secret {} was sent where it may not go", secret),
       "it may stand in the named header field of an https request to the hosts that were named "
       "with it, and nowhere else"});
}

// False when it has been answered.
bool HttpForward::WriteHead(const RequestReader& reader, Request& request) {
  const auto& head = reader.head();
  std::string stray = shared_.broker.FindIn(request.target);
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target,
                                 HostField(request.to, secure_));
  for (const auto& field : head) {
    const std::string_view name = View(field.name_string());
    if (stray.empty()) stray = shared_.broker.FindIn(name);
    if (field.name() == http::field::host || field.name() == http::field::expect || IsHopByHop(name, head))
      continue;
    text += fmt::format("{}: {}\r\n", name,
                        shared_.broker.Replace(name, View(field.value()), request.to, secure_, stray));
  }
  if (!stray.empty()) return RefuseStray(request.to, stray);
  if (reader.chunked()) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (const auto length = reader.length()) {
    text += fmt::format("Content-Length: {}\r\n", *length);
  }
  request.head = text + "\r\n";
  return true;
}

bool HttpForward::SendBody(RequestReader& reader) {
  const std::int64_t idle_ms = shared_.settings.patience.idle_ms;
  if (boost::beast::iequals(reader.head()[http::field::expect], "100-continue") &&
      !client_.Write("HTTP/1.1 100 Continue\r\n\r\n", idle_ms))
    return false;
  Stream& server = upstream_->stream();
  std::string seen;                    // the end of what has gone, in which a placeholder may have begun
  std::array<char, kBodyPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const std::span<char> room(piece.data(), std::min(piece.size(), shared_.meter.piece_bytes()));
  for (;;) {
    const ssize_t count = reader.ReadBody(room, idle_ms);
    if (count < 0) return false;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
    sent_ += count;
    if (!Count(count, upstream_->to)) return false;
    if (!shared_.broker.empty()) {
      seen.append(bytes);
      if (const std::string stray = shared_.broker.FindIn(seen); !stray.empty()) {
        stray_ = stray;
        return false;
      }
      seen.erase(0, seen.size() - std::min(seen.size(), shared_.broker.longest() - 1));
    }
    if (reader.chunked() && !server.Write(fmt::format("{:x}\r\n", bytes.size()), idle_ms)) return false;
    if (!bytes.empty() && !server.Write(bytes, idle_ms)) return false;
    if (reader.chunked() && !server.Write("\r\n", idle_ms)) return false;
    if (count == 0) return true;
  }
}

HttpForward::Returned HttpForward::ReturnResponse(const RequestReader& reader, const Request& request) {
  const Patience& patience = shared_.settings.patience;
  Stream& server = upstream_->stream();
  for (int interim = 0; interim <= kInterimMax; ++interim) {
    ResponseReader response(server, upstream_->buffer);
    if (request.method == "HEAD") response.NoBody();
    if (response.ReadHead(patience.answer_ms, patience.head_ms) != ResponseReader::State::kRead)
      return Returned::kNothing;
    const auto& head = response.head();
    const int status = static_cast<int>(head.result_int());
    if (status == 101) return Returned::kNothing;  // nobody asked for it
    if (status < 200) continue;
    const bool http11 = reader.head().version() >= 11;
    const bool framed = !response.has_body() || response.length() || response.chunked();
    const bool chunked = response.has_body() && !response.length() && http11;
    const bool keep = reader.keep_alive() && (framed || chunked) && http11;
    std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, View(head.reason()));
    for (const auto& field : head) {
      if (IsHopByHop(View(field.name_string()), head)) continue;
      text += fmt::format("{}: {}\r\n", View(field.name_string()), View(field.value()));
    }
    if (chunked) text += "Transfer-Encoding: chunked\r\n";
    // Of a HEAD it is the length that a GET would have.
    const std::string_view told = View(head[http::field::content_length]);
    if (!chunked && !told.empty()) text += fmt::format("Content-Length: {}\r\n", told);
    if (!keep) text += "Connection: close\r\n";
    text += "\r\n";
    received_ += static_cast<std::int64_t>(text.size());
    const bool reusable = response.keep_alive() && framed;
    const bool whole = Count(static_cast<std::int64_t>(text.size()), request.to) &&
                       client_.Write(text, patience.idle_ms) && ReturnBody(response, chunked);
    if (!reusable || !whole) upstream_.reset();
    return keep && whole ? Returned::kDone : Returned::kClose;
  }
  return Returned::kNothing;
}

bool HttpForward::ReturnBody(ResponseReader& response, bool chunked) {
  const std::int64_t idle_ms = shared_.settings.patience.idle_ms;
  if (!response.has_body()) return true;
  std::array<char, kBodyPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const std::span<char> room(piece.data(), std::min(piece.size(), shared_.meter.piece_bytes()));
  for (;;) {
    const ssize_t count = response.ReadBody(room, idle_ms);
    // A body that was cut must not look like a whole one: the connection ends without its last chunk.
    if (count < 0) return false;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
    received_ += count;
    if (!Count(count, upstream_->to)) return false;
    if (chunked && !client_.Write(fmt::format("{:x}\r\n", bytes.size()), idle_ms)) return false;
    if (!bytes.empty() && !client_.Write(bytes, idle_ms)) return false;
    if (chunked && !client_.Write("\r\n", idle_ms)) return false;
    if (count == 0) return true;
  }
}

}  // namespace casemate::egress
