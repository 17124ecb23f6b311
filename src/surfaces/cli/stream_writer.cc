#include "surfaces/cli/stream_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>

namespace casemate {
namespace {

constexpr int kGiveUpMs = 1000;

// 0 once `fd` takes bytes, otherwise an errno.
int WaitWritable(int fd, int cancel_fd) {
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{fd, POLLOUT, 0}, pollfd{cancel_fd, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (fds[0].revents != 0) return 0;
    if (fds[1].revents == 0) continue;
    fds[1].fd = -1;
    const int ready = ::poll(fds.data(), 1, kGiveUpMs);
    if (ready == 0) return ECANCELED;
    if (ready > 0) return 0;
    if (errno != EINTR) return errno;
  }
}

}  // namespace

int WritePatiently(int fd, std::string_view bytes, int cancel_fd) {
  while (!bytes.empty()) {
    if (const int failed = WaitWritable(fd, cancel_fd); failed != 0) return failed;
    // A pipe that polls as writable takes PIPE_BUF bytes without blocking, and no more for certain.
    const ssize_t count = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      return errno;
    }
  }
  return 0;
}

void StreamWriter::Append(int fd, std::string_view bytes) {
  if (bytes.empty()) return;
  {
    std::unique_lock lock(mutex_);
    if (finished_ || broken_ != 0) return;
    // A reader that goes on reading holds the queue to a few MiB; one that stands still costs the caller, who
    // also watches a deadline, no more than this.
    if (pieces_.size() >= kPiecesMax) taken_.wait_for(lock, kPatience);
    if (!pieces_.empty() && pieces_.back().fd == fd && pieces_.back().bytes.size() < kPieceBytes) {
      pieces_.back().bytes += bytes;
    } else {
      pieces_.push_back({fd, std::string(bytes)});
    }
  }
  if (!thread_.joinable()) {
    // Signals are for the main thread: it is the one whose calls they must interrupt.
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former);
    thread_ = std::thread([this] { Loop(); });
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }
  changed_.notify_one();
}

int StreamWriter::Finish() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  return broken_;
}

void StreamWriter::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return finished_ || !pieces_.empty(); });
    if (pieces_.empty()) return;
    const Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    taken_.notify_one();
    lock.unlock();
    const int failed = WritePatiently(piece.fd, piece.bytes, cancel_fd_);
    lock.lock();
    if (failed == 0) continue;
    broken_ = failed;
    pieces_.clear();
    taken_.notify_one();
    lock.unlock();
    on_broken_();
    return;
  }
}

}  // namespace casemate
