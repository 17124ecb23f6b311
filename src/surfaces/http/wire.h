#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/clock.h"

namespace casemate::http {

// The bytes of one connected peer, in the clear or through TLS. Nothing here waits unless it says so. One
// thread; `fd` is not owned and may be shut down by another thread.
class Wire {
 public:
  explicit Wire(int fd) : fd_(fd) {}
  virtual ~Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int fd() const { return fd_; }

  // What came of a Read or a Write.
  struct Io {
    std::size_t count = 0;  // bytes; 0 when it must wait, is at its end, or is broken
    short wait_for = 0;     // POLLIN or POLLOUT: try again when the descriptor is so
    bool ended() const { return count == 0 && wait_for == 0; }
  };
  virtual Io Read(std::span<char> room) = 0;
  // Some of `head` and then of `body`.
  virtual Io Write(std::string_view head, std::string_view body) = 0;
  // Whether Read has bytes that poll(2) does not tell of.
  virtual bool HasUnread() const { return false; }
  // What must be said before the first byte; may wait until `deadline`. False when the peer is of no use.
  virtual bool Begin(const Deadline& /*deadline*/) { return true; }
  // Says that no more is sent. Does not wait.
  virtual void EndWriting();

 private:
  int fd_;
};

// A stream socket as it is.
class PlainWire : public Wire {
 public:
  using Wire::Wire;
  Io Read(std::span<char> room) override;
  Io Write(std::string_view head, std::string_view body) override;
};

// poll(2) for `events`, restarted after signals; false after `timeout_ms`.
bool WaitFor(int fd, short events, std::int64_t timeout_ms);

}  // namespace casemate::http
