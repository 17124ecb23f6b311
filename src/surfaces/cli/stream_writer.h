#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace casemate {

// Writes a program's two streams to descriptors of ours, in the order in which they were given, on a thread
// of its own that starts with the first byte: a reader who is slow or stopped never holds up the thread that
// watches the deadline. What waits is bounded by the run's output limits. Append() and Finish() from one
// thread.
class StreamWriter {
 public:
  // `cancel_fd` (or -1): once it is readable, a reader who takes nothing for a second is given up.
  // `on_broken` is called once, on the writer's thread, when a write fails.
  StreamWriter(int cancel_fd, std::function<void()> on_broken)
      : cancel_fd_(cancel_fd), on_broken_(std::move(on_broken)) {}
  ~StreamWriter() { Finish(); }
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  void Append(int fd, std::string_view bytes);
  // Waits until all is written or given up. Returns the errno of the first failed write, 0 for none.
  int Finish();

 private:
  struct Piece {
    int fd;
    std::string bytes;
  };
  static constexpr std::size_t kPieceBytes = 64 * 1024;
  static constexpr std::size_t kPiecesMax = 32;
  static constexpr std::chrono::milliseconds kPatience{20};

  void Loop();

  const int cancel_fd_;
  const std::function<void()> on_broken_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable taken_;
  std::deque<Piece> pieces_;
  bool finished_ = false;
  int broken_ = 0;
  std::thread thread_;
};

// Writes all of `bytes` unless the write fails or, once `cancel_fd` is readable, nobody reads for a second.
// Returns 0 or an errno (ECANCELED when given up). Needs SIGPIPE ignored.
int WritePatiently(int fd, std::string_view bytes, int cancel_fd);

}  // namespace casemate
