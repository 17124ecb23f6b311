#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "model/request_json.h"
#include "surfaces/http/handler.h"

namespace casemate::http {

// What one peer may take of us.
struct ServerLimits {
  std::size_t connections_max = 256;
  std::size_t header_bytes_max = 16 * 1024;       // request line and fields; more is 431
  std::size_t body_bytes_max = kRequestBytesMax;  // more is 413
  std::int64_t idle_ms = 60'000;                  // without a request; then the connection ends
  std::int64_t request_ms = 30'000;               // from a request's first byte to its last; then 408
  std::int64_t write_ms = 30'000;                 // in which a peer reads nothing; then the connection ends
};

// Serves one connected peer, HTTP/1.1 with keep-alive and pipelining, until it goes away, breaks a limit, or
// the handler drains. Blocks. `fd` is a blocking stream socket, not owned. `busy` is true while a request is
// handled: set before the handler can look whether it drains. Never throws.
void ServeConnection(int fd, Handler& handler, const ServerLimits& limits, std::atomic<bool>& busy) noexcept;

// Tells a peer that there is no room for it, and does not wait.
void RefuseConnection(int fd) noexcept;

}  // namespace casemate::http
