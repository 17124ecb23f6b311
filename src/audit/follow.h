#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::audit {

// Reads the records of a log in order, and those that come later each time it is asked: what a viewer and a
// sink stand on. Hands on what was acknowledged and no more, as far as `head` can be read. Writes nothing,
// holds no lock. One thread.
class Follower {
 public:
  explicit Follower(std::string folder) : folder_(std::move(folder)) {}

  // Stands before the last `lines` records of all, or the first.
  Expected<void> SeekBack(std::int64_t lines);
  // Stands where segment() and offset() were before; the start of the log when the segment is gone.
  void Seek(std::int64_t segment, std::int64_t offset) {
    segment_ = segment;
    offset_ = offset;
  }
  // Where it stands: within `visit`, behind the line that it is given.
  std::int64_t segment() const { return segment_; }
  std::int64_t offset() const { return offset_; }

  // Hands on each whole line that has come, without its newline; lines are not checked. `visit` returns false
  // to stop.
  Expected<void> Read(const std::function<bool(std::string_view)>& visit);

 private:
  const std::string folder_;
  std::int64_t segment_ = 0;
  std::int64_t offset_ = 0;
};

}  // namespace casemate::audit
