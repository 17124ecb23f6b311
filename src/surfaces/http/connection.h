#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "model/request_json.h"
#include "surfaces/http/handler.h"
#include "surfaces/http/wire.h"

namespace casemate::http {

// What one peer may take of us.
struct ServerLimits {
  std::size_t connections_max = 1024;             // at each place to listen
  std::size_t header_bytes_max = 16 * 1024;       // request line and fields; more is 431
  std::size_t body_bytes_max = kRequestBytesMax;  // more is 413
  std::int64_t idle_ms = 60'000;                  // without a request; then the connection ends
  std::int64_t header_ms = 10'000;                // from a request's first byte to the end of its fields
  std::int64_t request_ms = 30'000;               // from a request's first byte to its last; then 408
  std::int64_t write_ms = 30'000;                 // in which a peer reads nothing; then the connection ends
};

// Who the transport knows a peer to be.
struct PeerInfo {
  std::string caller;      // "uid:1000", "203.0.113.7:4711"
  bool trusted = false;    // this engine's own user, or root
  bool networked = false;  // it came by TCP
};
// Of the peer at the other end of a unix socket that only trusted ones may reach.
PeerInfo LocalPeer(int fd);

// Serves one connected peer, HTTP/1.1 with keep-alive and pipelining, until it goes away, breaks a limit, or
// the handler drains. Blocks. `busy` is true while a request is handled: set before the handler can look
// whether it drains. Never throws.
void ServeConnection(Wire& wire, const PeerInfo& peer, Handler& handler, const ServerLimits& limits,
                     std::atomic<bool>& busy) noexcept;

// Tells a peer that there is no room for it and when to come back, and waits at most so long for it to read
// that: a socket that is closed with unread bytes in it takes the answer back (tcp(7)).
inline constexpr std::int64_t kLingerMs = 2000;
void TurnAway(Wire& wire, std::int64_t linger_ms = kLingerMs) noexcept;

}  // namespace casemate::http
