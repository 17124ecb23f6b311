#include "surfaces/mcp/outbox.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace casemate::mcp {
namespace {

// False when nobody reads any more.
bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd entry{fd, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Outbox::Outbox(int fd) : fd_(fd), thread_([this] { Loop(); }) {}

Outbox::~Outbox() {
  {
    const std::scoped_lock lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Outbox::Send(std::string line) {
  line += '\n';
  {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  changed_.notify_one();
}

void Outbox::Offer(std::string line) {
  line += '\n';
  {
    const std::scoped_lock lock(mutex_);
    if (lines_.size() >= kOffersMax) return;
    lines_.push_back(std::move(line));
  }
  changed_.notify_one();
}

void Outbox::Loop() {
  bool broken = false;
  for (;;) {
    std::string line;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return finished_ || !lines_.empty(); });
      if (lines_.empty()) return;
      line = std::move(lines_.front());
      lines_.pop_front();
    }
    broken = broken || !WriteAll(fd_, line);
  }
}

}  // namespace casemate::mcp
