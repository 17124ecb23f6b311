#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate::http {

// An address and a port to listen at.
struct TcpAddress {
  std::string host;        // "127.0.0.1", "::1"; digits alone
  std::uint16_t port = 0;  // 0: one that is free
  bool ipv6 = false;
  bool loopback = false;  // reached from this host alone
};

// "HOST:PORT", "[::1]:8080", "localhost:8080", ":8080" and "8080" (loopback). Names are not looked up, since
// which interface they mean is for whoever starts the server to say. kInvalidRequest with one sentence.
Expected<TcpAddress> ParseTcpAddress(std::string_view text);

// A TCP socket that listens.
class TcpListener {
 public:
  // kUnavailable when the address is another's, or not this host's.
  static Expected<TcpListener> Open(const TcpAddress& address);
  int fd() const { return fd_.get(); }
  // "127.0.0.1:8080" or "[::1]:8080", with the port that it really is.
  const std::string& name() const { return name_; }
  void Close() { fd_.reset(); }

 private:
  TcpListener(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  UniqueFd fd_;
  std::string name_;
};

// Settings of an accepted connection: no delay of small writes, and an end of peers that have vanished
// without a word, within a minute.
void TuneConnection(int fd);

// "203.0.113.7:4711", for records; "unknown" when the kernel does not tell.
std::string PeerAddress(int fd);

}  // namespace casemate::http
