#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/unique_fd.h"

namespace casemate::egress {

// Bytes to and from one peer, plain or inside TLS. One thread. The socket below does not block; each call
// waits as long as it is told to.
class Stream {
 public:
  virtual ~Stream() = default;
  // What is there, at least one byte; 0 at the end; -errno, -ETIMEDOUT after `wait_ms`.
  virtual ssize_t Read(std::span<char> into, std::int64_t wait_ms) = 0;
  // All of it; false when the peer is gone or takes nothing for `wait_ms`.
  virtual bool Write(std::string_view bytes, std::int64_t wait_ms) = 0;
  virtual int fd() const = 0;
};

class SocketStream : public Stream {
 public:
  // `fd`: a connected socket that does not block; not owned.
  explicit SocketStream(int fd) : fd_(fd) {}
  ssize_t Read(std::span<char> into, std::int64_t wait_ms) override;
  bool Write(std::string_view bytes, std::int64_t wait_ms) override;
  int fd() const override { return fd_; }

 private:
  int fd_;
};

// Waits for `events` (poll(2)) on `fd`; false after `wait_ms` or on an error.
bool WaitFor(int fd, short events, std::int64_t wait_ms);

}  // namespace casemate::egress
