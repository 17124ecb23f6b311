#include "egress/proxy/tunnel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "egress/rules/client_hello.h"

namespace casemate::egress {
namespace {

// The alert of a server that does not know the name (RFC 6066, 3): clients say so.
constexpr std::string_view kUnrecognizedName("\x15\x03\x03\x00\x02\x02\x70", 7);
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr int kPipeBytes = 1 << 20;

// What starts so is taken for HTTP, and has to be it.
constexpr std::array<std::string_view, 10> kMethods = {"GET ",   "HEAD ",  "POST ",  "PUT ",     "DELETE ",
                                                       "PATCH ", "TRACE ", "PRI * ", "OPTIONS ", "CONNECT "};

bool MayBecomeHttp(std::string_view bytes) {
  return std::ranges::any_of(kMethods, [bytes](std::string_view method) {
    return method.substr(0, bytes.size()) == bytes.substr(0, method.size());
  });
}
bool LooksLikeHttp(std::string_view bytes) {
  return std::ranges::any_of(kMethods,
                             [bytes](std::string_view method) { return bytes.starts_with(method); });
}

Verdict CheckHello(const ClientHello& hello, const Destination& to, const Allowlist& allow) {
  const char* const remedy = "connect with the TLS server name that the tunnel was asked for, in the clear";
  if (hello.hides_name) {
    return {false, fmt::format("the TLS client hides the server name that it asks {} for", to.ToString()),
            remedy};
  }
  const auto name = NormalHostName(hello.server_name);
  if (to.address) {
    if (!hello.has_name) return {};
    if (name && allow.MayAsk({*name, std::nullopt, to.port})) return {};
  } else if (name == to.host) {
    return {};
  }
  std::string said = "no server name";
  if (hello.has_name) said = fmt::format("the server name {}", name.value_or("that is none"));
  return {false, fmt::format("the TLS client asks {} for {}", to.ToString(), said), remedy};
}

Opening Refused(const Destination& to, const Verdict& verdict, Shared shared) {
  shared.journal.Refused(to.ToString(), verdict);
  return Opening::kRefused;
}

Opening CheckNoTls(const Destination& to, std::string_view bytes, Shared shared) {
  if (LooksLikeHttp(bytes)) {
    if (!bytes.starts_with("PRI ")) return Opening::kHttp;
    return Refused(to,
                   {false, fmt::format("HTTP/2 in the clear to {}", to.ToString()), "use https, or HTTP/1.1"},
                   shared);
  }
  if (!shared.settings.allow.AllowsAnyRequest(to)) {
    return Refused(
        to,
        {false, fmt::format("{} is allowed for some HTTP requests, and this is none", to.ToString()),
         "allow it without methods and paths"},
        shared);
  }
  if (to.port != kHttpPort && to.port != kHttpsPort) return Opening::kOther;
  return Refused(to,
                 {false, fmt::format("what goes to {} is neither TLS nor HTTP/1", to.ToString()),
                  "only these two may use ports 80 and 443; allow another port for other protocols"},
                 shared);
}

Opening OpenTls(const Destination& to, Shared shared) {
  const bool rules = !shared.settings.allow.AllowsAnyRequest(to);
  if (!rules && !shared.broker.Covers(to)) return Opening::kOther;
  if (shared.authority != nullptr && !to.address) return Opening::kLookInto;
  return Refused(
      to,
      {false,
       fmt::format("{} is allowed for some HTTP requests, and TLS to an address hides which", to.ToString()),
       "name the host, or allow the address without methods and paths"},
      shared);
}

// Until the client has said something: true. What the server says meanwhile is passed on.
bool AwaitClient(Stream& client, const Dialed& dialed, const Destination& to, Shared shared) {
  SocketStream server(dialed.fd.get());
  std::array<char, 16384> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    std::array<pollfd, 2> entries = {pollfd{client.fd(), POLLIN, 0}, pollfd{server.fd(), POLLIN, 0}};
    const int ready =
        poll(entries.data(), entries.size(), static_cast<int>(shared.settings.patience.idle_ms));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    if (entries[0].revents != 0) return true;
    const ssize_t count = server.Read(piece, 0);
    if (count <= 0 || !shared.meter.Take(count)) return false;
    if (!client.Write({piece.data(), static_cast<std::size_t>(count)}, shared.settings.patience.idle_ms))
      return false;
    shared.journal.Moved(to, dialed.address, 0, count);
  }
}

// One direction: through a pipe, so that bytes stay in the kernel.
class Flow {
 public:
  Flow(int from, int to, Meter& meter) : from_(from), to_(to), meter_(meter) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
      open_ = false;
      return;
    }
    out_.reset(ends[0]);
    in_.reset(ends[1]);
    // Less where the user has used up what pipes may hold (pipe(7)).
    fcntl(in_.get(), F_SETPIPE_SZ, kPipeBytes);
  }

  bool open() const { return open_; }
  bool over() const { return over_; }
  std::int64_t moved() const { return moved_; }
  short read_events() const { return open_ && held_ == 0 ? POLLIN : 0; }
  short write_events() const { return held_ > 0 ? POLLOUT : 0; }

  // As far as it goes without waiting; true when something moved.
  bool Move() {
    bool any = false;
    while (open_) {
      if (held_ == 0 && !Fill()) break;
      if (held_ == 0) continue;
      const ssize_t count =
          splice(out_.get(), nullptr, to_, nullptr, held_, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
      if (count <= 0) {
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
        open_ = false;
        break;
      }
      held_ -= static_cast<std::size_t>(count);
      moved_ += count;
      any = true;
    }
    return any;
  }

 private:
  // False when nothing came.
  bool Fill() {
    const ssize_t count =
        splice(from_, nullptr, in_.get(), nullptr, meter_.piece_bytes(), SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count <= 0) {
      open_ = false;
      shutdown(to_, SHUT_WR);
      return false;
    }
    held_ = static_cast<std::size_t>(count);
    if (meter_.Take(count)) return true;
    over_ = true;
    open_ = false;
    return false;
  }

  int from_;
  int to_;
  Meter& meter_;
  UniqueFd in_;
  UniqueFd out_;
  std::size_t held_ = 0;
  std::int64_t moved_ = 0;
  bool open_ = true;
  bool over_ = false;
};

}  // namespace

Opening OpenTunnel(Stream& client, const Dialed& server, const Destination& to, std::string& buffer,
                   Shared shared) {
  // A server that speaks first does so on no port of TLS and HTTP; there, it is kept waiting with the client.
  if (buffer.empty() && !AwaitClient(client, server, to, shared)) return Opening::kGone;
  const Deadline deadline = Deadline::After(shared.settings.patience.head_ms);
  for (;;) {
    const ClientHello hello =
        ReadClientHello({reinterpret_cast<const std::uint8_t*>(buffer.data()), buffer.size()});
    using State = ClientHello::State;
    if (hello.state == State::kNotTls && !(buffer.size() < 8 && MayBecomeHttp(buffer)))
      return CheckNoTls(to, buffer, shared);
    if (hello.state == State::kInvalid) {
      return Refused(to,
                     {false, fmt::format("the TLS ClientHello to {} cannot be read", to.ToString()),
                      "use another TLS client"},
                     shared);
    }
    if (hello.state == State::kWhole) {
      const Verdict verdict = CheckHello(hello, to, shared.settings.allow);
      if (verdict) return OpenTls(to, shared);
      client.Write(kUnrecognizedName, shared.settings.patience.head_ms);
      return Refused(to, verdict, shared);
    }
    std::array<char, 4096> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const ssize_t count = client.Read(piece, deadline.RemainingMs());
    if (count <= 0) return Opening::kGone;
    buffer.append(piece.data(), static_cast<std::size_t>(count));
  }
}

void CarryTunnel(int client, const Dialed& server, const Destination& to, const std::string& buffer,
                 Shared shared) {
  const int far = server.fd.get();
  const std::int64_t idle_ms = shared.settings.patience.idle_ms;
  const auto first = static_cast<std::int64_t>(buffer.size());
  if (!shared.meter.Take(first) || !SocketStream(far).Write(buffer, idle_ms)) return;
  Flow out(client, far, shared.meter);
  Flow back(far, client, shared.meter);
  std::int64_t last_us = MonotonicUs();
  while ((out.open() || back.open()) && !out.over() && !back.over()) {
    std::array<pollfd, 2> entries = {
        pollfd{client, static_cast<short>(out.read_events() | back.write_events()), 0},
        pollfd{far, static_cast<short>(back.read_events() | out.write_events()), 0}};
    // An end that nobody waits for would wake the loop by its hang-up, again and again.
    for (pollfd& entry : entries) {
      if (entry.events == 0) entry.fd = -1;
    }
    const int ready = poll(entries.data(), entries.size(), static_cast<int>(idle_ms));
    if (ready == 0 || (ready < 0 && errno != EINTR)) break;
    const bool sent = out.Move();
    const bool received = back.Move();
    if (sent || received) last_us = MonotonicUs();
    if (MonotonicUs() - last_us > idle_ms * 1000) break;
  }
  shared.journal.Moved(to, server.address, first + out.moved(), back.moved());
  if (out.over() || back.over()) {
    shared.journal.Refused(
        to.ToString(), {false, "the run has moved as many bytes as it may", "raise network.limits.bytes"});
  }
}

}  // namespace casemate::egress
