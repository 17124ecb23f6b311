#pragma once

#include <memory>
#include <mutex>

#include "base/unique_fd.h"
#include "batch/former_run.h"
#include "batch/journal.h"
#include "casemate/batch.h"
#include "surfaces/cli/run_options.h"

namespace casemate {

// Where the result lines of a batch go: stdout, or a file with its journal.
class BatchOutput : public BatchSink {
 public:
  // To stdout: nothing is kept of it, so such a batch cannot be resumed. `cancel_fd` as in WritePatiently.
  BatchOutput(int stdout_fd, int cancel_fd) : stdout_fd_(stdout_fd), cancel_fd_(cancel_fd) {}
  // To a file. What it holds already is read into former(); without `flags.resume` it must not be there,
  // unless `force` replaces it.
  static Expected<std::unique_ptr<BatchOutput>> OpenFile(const BatchFlags& flags, bool force);

  Expected<void> OnBegin(const BatchItem& item) override;
  Expected<void> OnHeld(const BatchItem& item, const ExecutionResult& result) override;
  Expected<void> OnResult(const BatchItem& item, const ExecutionResult& result) override;

  // Brings a file to the disk.
  Expected<void> Finish();

  const FormerRun& former() const { return former_; }
  // Of what has been written. Any thread.
  BatchTotals totals() const;
  // The errno of a failed write to stdout; 0 for none.
  int write_errno() const { return write_errno_; }

 private:
  BatchOutput(UniqueFd file, std::string path, std::unique_ptr<Journal> journal, FormerRun former);
  Expected<std::string> LineOf(const BatchItem& item, const ExecutionResult& result) const;

  const int stdout_fd_ = -1;
  const int cancel_fd_ = -1;
  UniqueFd file_;
  std::string path_;
  std::unique_ptr<Journal> journal_;
  FormerRun former_;
  int write_errno_ = 0;
  mutable std::mutex mutex_;  // for totals_
  BatchTotals totals_;
};

}  // namespace casemate
