#include "surfaces/cli/batch_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/errno.h"
#include "base/file.h"
#include "batch/result_file.h"
#include "surfaces/cli/stream_writer.h"

namespace casemate {

BatchOutput::BatchOutput(UniqueFd file, std::string path, std::unique_ptr<Journal> journal, FormerRun former)
    : file_(std::move(file)),
      path_(std::move(path)),
      journal_(std::move(journal)),
      former_(std::move(former)) {}

Expected<std::unique_ptr<BatchOutput>> BatchOutput::OpenFile(const BatchFlags& flags, bool force) {
  const std::string& path = flags.output;
  if (!flags.resume && !force && FileExists(path)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} is there already: --resume goes on with it, --force replaces it", path));
  }
  FormerRun former;
  // The journal first: it is what two batches with one output meet at.
  const std::string journal_path = path + ".journal";
  // Who resumes what was never begun begins.
  const bool fresh = !flags.resume || (!FileExists(path) && !FileExists(journal_path));
  auto journal = Journal::Open(journal_path, fresh ? Journal::Mode::kFresh : Journal::Mode::kResume, former);
  if (!journal) return std::unexpected(journal.error());
  const auto interrupted = flags.retry_interrupted ? Interrupted::kRunAgain : Interrupted::kKeep;
  auto file = flags.resume ? ReopenResultFile(path, interrupted, former)
                           : casemate::OpenFile(path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0644);
  if (!file) return std::unexpected(file.error());
  if (flags.retry_interrupted) former.ForgetBegun();
  return std::unique_ptr<BatchOutput>(
      new BatchOutput(*std::move(file), path, *std::move(journal), std::move(former)));
}

Expected<std::string> BatchOutput::LineOf(const BatchItem& item, const ExecutionResult& result) const {
  if (journal_ && former_.Held(item.number)) return journal_->ReadHeld(former_, item.number);
  return EncodeResultLine(item, result);
}

Expected<void> BatchOutput::OnBegin(const BatchItem& item) {
  return journal_ ? journal_->Begin(item.number, item.request_sha256) : Expected<void>();
}

Expected<void> BatchOutput::OnHeld(const BatchItem& item, const ExecutionResult& result) {
  // A result that stood already is found again in the same way.
  if (!journal_ || std::holds_alternative<ExecutionResult>(item.work)) return {};
  return journal_->Hold(item.number, EncodeResultLine(item, result));
}

Expected<void> BatchOutput::OnResult(const BatchItem& item, const ExecutionResult& result) {
  auto line = LineOf(item, result);
  if (!line) return std::unexpected(line.error());
  *line += '\n';
  if (journal_) {
    if (auto written = WriteAll(file_.get(), *line, path_); !written) return written;
  } else if (const int failed = WritePatiently(stdout_fd_, *line, cancel_fd_); failed != 0) {
    write_errno_ = failed;
    return FailErrno(ErrorCode::kInternal,
                     "the results cannot be written: free some space or send them elsewhere", "write",
                     failed);
  }
  const std::lock_guard lock(mutex_);
  totals_.Add(result);
  return {};
}

Expected<void> BatchOutput::Finish() {
  if (journal_ && ::fdatasync(file_.get()) != 0) {
    return FailErrno(ErrorCode::kInternal, path_ + " cannot be brought to the disk", "fdatasync");
  }
  return {};
}

BatchTotals BatchOutput::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace casemate
