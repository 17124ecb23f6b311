#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "surfaces/cli/stream_writer.h"

namespace casemate {

// Writes lines to a descriptor, some at a time.
class LinesOut {
 public:
  explicit LinesOut(int fd) : fd_(fd) {}

  // False once nobody reads any more.
  bool Add(std::string_view line) {
    buffer_ += line;
    buffer_ += '\n';
    constexpr std::size_t kEnough = 64 * 1024;
    return buffer_.size() < kEnough || Flush();
  }
  bool Flush() {
    if (error_ == 0 && !buffer_.empty()) error_ = WritePatiently(fd_, buffer_, -1);
    buffer_.clear();
    return error_ == 0;
  }
  int error() const { return error_; }

 private:
  int fd_;
  int error_ = 0;
  std::string buffer_;
};

}  // namespace casemate
