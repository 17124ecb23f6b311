#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

struct Line {
  std::string_view text;          // without its newline; valid until the next call
  std::int64_t number = 0;        // from 1
  std::int64_t offset = 0;        // of its first byte, from where the reading began
  std::int64_t end_offset = 0;    // just after its newline
  bool whole = true;              // false: longer than allowed, and `text` is only its beginning
  bool ended_by_newline = false;  // false only for a last line without one
};

// Reads lines from a descriptor, holding one at a time.
class LineReader {
 public:
  // `fd` is not owned; `name` is for messages. Once `cancel_fd` (or -1) is readable, the lines end.
  LineReader(int fd, std::string name, std::size_t line_bytes_max, int cancel_fd = -1)
      : fd_(fd), name_(std::move(name)), line_bytes_max_(line_bytes_max), cancel_fd_(cancel_fd) {}

  // nullopt at the end.
  Expected<std::optional<Line>> Next();

 private:
  // False at the end of the file, or when cancelled.
  Expected<bool> Fill();
  void Keep(std::string_view part);

  const int fd_;
  const std::string name_;
  const std::size_t line_bytes_max_;
  const int cancel_fd_;
  std::string buffer_;
  std::size_t at_ = 0;  // in buffer_
  std::string line_;
  bool whole_ = true;
  std::int64_t number_ = 0;
  std::int64_t offset_ = 0;
  bool cancelled_ = false;
};

}  // namespace casemate
