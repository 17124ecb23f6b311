#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace casemate {

// The reading end of one stream of the sandbox: keeps the first `bytes_max` bytes, counts all.
class CappedStream {
 public:
  // `keep` false: it only counts.
  CappedStream(std::int64_t bytes_max, bool keep) : bytes_max_(bytes_max), keep_(keep) {}

  // Takes `bytes` and returns the part of them that is within the limit.
  std::string_view Take(std::string_view bytes);

  bool over() const { return seen_ > bytes_max_; }
  std::int64_t seen() const { return seen_; }
  std::string TakeText() { return std::move(text_); }

 private:
  std::int64_t bytes_max_;
  bool keep_;
  std::int64_t seen_ = 0;
  std::string text_;
};

// The writing end: bytes that are there, then those of a descriptor. Never blocks on the sandbox's side.
class Feeder {
 public:
  // `source_fd` is not owned; -1 for none.
  Feeder(std::string_view bytes, int source_fd) : bytes_(bytes), source_fd_(source_fd) {}

  // The descriptor to wait for before Feed() can do something, and how: `to` for writing when there are
  // bytes, the source for reading when there are none.
  bool HasBytes() const { return !bytes_.empty(); }
  int source_fd() const { return source_fd_; }

  // Writes what can be written. False when the sandbox no longer reads, or all has been written.
  bool Feed(int to);
  // Reads more from the source, once. False at its end.
  bool Refill();

 private:
  std::string_view bytes_;
  int source_fd_;
  std::string buffer_;
};

// Blocks SIGPIPE on this thread while it lives, and swallows one that came meanwhile: a sandbox that closes
// its stdin must not end the engine.
class SigpipeGuard {
 public:
  SigpipeGuard();
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  bool blocked_here_ = false;
};

}  // namespace casemate
