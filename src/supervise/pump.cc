#include "supervise/pump.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace casemate {

std::string_view CappedStream::Take(std::string_view bytes) {
  const std::int64_t room = std::max<std::int64_t>(0, bytes_max_ - seen_);
  seen_ += static_cast<std::int64_t>(bytes.size());
  const std::string_view kept = bytes.substr(0, static_cast<std::size_t>(room));
  if (keep_) text_ += kept;
  return kept;
}

bool Feeder::Feed(int to) {
  while (!bytes_.empty()) {
    const ssize_t count = write(to, bytes_.data(), bytes_.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    bytes_.remove_prefix(static_cast<std::size_t>(count));
  }
  return source_fd_ >= 0;
}

bool Feeder::Refill() {
  constexpr std::size_t kChunk = 65536;
  buffer_.resize(kChunk);
  const ssize_t count = read(source_fd_, buffer_.data(), buffer_.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) {
    source_fd_ = -1;
    return false;
  }
  bytes_ = std::string_view(buffer_).substr(0, static_cast<std::size_t>(count));
  return true;
}

SigpipeGuard::SigpipeGuard() {
  sigset_t pipe_only;
  sigset_t before;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  blocked_here_ = sigismember(&before, SIGPIPE) == 0;
}

SigpipeGuard::~SigpipeGuard() {
  if (!blocked_here_) return;
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  const timespec now{};
  sigtimedwait(&pipe_only, nullptr, &now);
  pthread_sigmask(SIG_UNBLOCK, &pipe_only, nullptr);
}

}  // namespace casemate
