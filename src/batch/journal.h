#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "batch/former_run.h"
#include "casemate/error.h"

// The file beside a batch's output that tells which items have begun, so that none runs twice.
//
//   casemate-batch-journal 1
//   B 12 0123456789abcdef      line 12, whose request has this hash, is about to run
//   R 14 {...}                 line 14 has ended; its result line waits for line 12's to be written first
//
// A B line is on the disk before the item runs: several items that begin at once share one fdatasync(2). R
// lines and the output itself are not synced one by one: what a power cut takes of them is told as
// interrupted. A last line that was torn in the middle is cut off. One process holds the file by flock(2).

namespace casemate {

class Journal {
 public:
  enum class Mode { kFresh, kResume };

  // Opens and locks the journal at `path`. kFresh empties it; kResume reads it into `former` and fails with
  // kInvalidRequest when it is not there. `path` must be on a file system that knows fdatasync(2).
  static Expected<std::unique_ptr<Journal>> Open(const std::string& path, Mode mode, FormerRun& former);

  // Any thread. Returns when the line is on the disk.
  Expected<void> Begin(std::int64_t number, std::string_view request_sha256);
  // `line` is a result line without its newline. Any thread.
  Expected<void> Hold(std::int64_t number, std::string_view line);
  // The result line that a former run has left.
  Expected<std::string> ReadHeld(const FormerRun& former, std::int64_t number) const;

 private:
  Journal(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Expected<void> Load(FormerRun& former);

  UniqueFd fd_;
  std::string path_;
  std::mutex mutex_;
  std::condition_variable synced_changed_;
  std::int64_t written_ = 0;  // B lines
  std::int64_t synced_ = 0;   // of them
  bool syncing_ = false;
};

}  // namespace casemate
