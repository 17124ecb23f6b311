#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "casemate/batch.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

// How far a batch is.
struct BatchProgress {
  BatchTotals totals;                 // of this process
  std::int64_t skipped = 0;           // had their result already
  std::optional<std::int64_t> items;  // in the whole job file, when it could be counted
  std::optional<double> share_read;   // of the job file's bytes, when it has an end
  double seconds = 0;                 // since the start
};

// One line without a newline: a bar, done of all, rate, what is left, counts by status; as much of it as fits
// into `style.columns`. `unicode`: the bar may be drawn with block characters.
std::string ProgressBar(const BatchProgress& progress, const Style& style, bool unicode);

// The same in words, for a log: "1234 of 5000 done, 812 a second, 4 s left: 1200 ok, 34 error".
std::string ProgressText(const BatchProgress& progress);

// The lines at the end of a batch.
std::string BatchSummary(const BatchProgress& progress, const Style& style);

// Shows the progress on `fd` from a thread of its own: on a terminal a bar that is redrawn, elsewhere a line
// every ten seconds. Writes nothing after Stop().
class ProgressPrinter {
 public:
  // `cancel_fd` is as in WritePatiently; `look` is called on the printer's thread.
  ProgressPrinter(int fd, const Style& style, bool unicode, int cancel_fd,
                  std::function<BatchProgress()> look);
  ~ProgressPrinter() { Stop(); }
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  // Takes the bar off the screen.
  void Stop();

 private:
  void Loop();

  const int fd_;
  const Style style_;
  const bool unicode_;
  const bool terminal_;
  const int cancel_fd_;
  const std::function<BatchProgress()> look_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace casemate
