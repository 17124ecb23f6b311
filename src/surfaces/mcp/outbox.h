#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace casemate::mcp {

// Writes lines to a descriptor on a thread of its own, so that a client who does not read never holds up the
// thread that watches a run's deadline. Any thread may send.
class Outbox {
 public:
  // `fd` is not owned. Needs SIGPIPE ignored.
  explicit Outbox(int fd);
  // Writes what waits, unless the reader is gone.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // A line that must come; `line` has no end of its own.
  void Send(std::string line);
  // A line that may be lost: dropped when many are waiting already.
  void Offer(std::string line);

 private:
  static constexpr std::size_t kOffersMax = 64;

  void Loop();

  const int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace casemate::mcp
