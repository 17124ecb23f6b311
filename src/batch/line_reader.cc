#include "batch/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/errno.h"

namespace casemate {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
// What a long line leaves behind is not kept for the short ones after it.
constexpr std::size_t kKeptCapacity = 1024 * 1024;

}  // namespace

Expected<bool> LineReader::Fill() {
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{fd_, POLLIN, 0}, pollfd{cancel_fd_, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
      return FailErrno(ErrorCode::kInternal, "cannot wait for " + name_, "poll");
    }
    if (fds[1].revents != 0) {
      cancelled_ = true;
      return false;
    }
    if (fds[0].revents == 0) continue;
    buffer_.resize(kBufferBytes);
    at_ = 0;
    const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
    if (count < 0) {
      buffer_.clear();
      if (errno == EINTR || errno == EAGAIN) continue;
      return FailErrno(errno == EISDIR ? ErrorCode::kInvalidRequest : ErrorCode::kInternal,
                       "cannot read " + name_, "read " + name_);
    }
    buffer_.resize(static_cast<std::size_t>(count));
    return count > 0;
  }
}

void LineReader::Keep(std::string_view part) {
  const std::size_t room = line_bytes_max_ - line_.size();
  whole_ = whole_ && part.size() <= room;
  line_.append(part.substr(0, room));
}

Expected<std::optional<Line>> LineReader::Next() {
  line_.clear();
  if (line_.capacity() > kKeptCapacity) line_.shrink_to_fit();
  whole_ = true;
  const std::int64_t begin = offset_;
  bool newline = false;
  while (!newline) {
    if (at_ >= buffer_.size()) {
      const auto more = Fill();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
    }
    const std::string_view rest = std::string_view(buffer_).substr(at_);
    const std::size_t end = rest.find('\n');
    newline = end != std::string_view::npos;
    Keep(rest.substr(0, end));
    const std::size_t used = newline ? end + 1 : rest.size();
    at_ += used;
    offset_ += static_cast<std::int64_t>(used);
  }
  // Half of a line that was still being typed is no line.
  if (cancelled_ || (!newline && offset_ == begin)) return std::nullopt;
  return Line{line_, ++number_, begin, offset_, whole_, newline};
}

}  // namespace casemate
