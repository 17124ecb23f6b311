#include "isolation/process/sandbox.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.h"
#include "confine/apply.h"
#include "confine/file_agent.h"

namespace casemate::process {
namespace {

constexpr std::int64_t kMeasureEveryUs = 100'000;

}  // namespace

ProcessSandbox::~ProcessSandbox() {
  ProcessSandbox::Kill();
  Reap();
  if (parts_.cgroup) parts_.cgroup->Remove(2000);
}

int ProcessSandbox::ChannelFd(Channel channel) const {
  return parts_.ends.channels[static_cast<std::size_t>(channel)].get();
}

void ProcessSandbox::CloseChannel(Channel channel) {
  parts_.ends.channels[static_cast<std::size_t>(channel)].reset();
}

// The keeper itself is not killed: what it keeps would have nobody.
void ProcessSandbox::Kill() noexcept {
  if (reaped_ || !parts_.pidfd.valid()) return;
  killed_ = true;
  parts_.ends.lifeline.reset();
  if (parts_.cgroup) parts_.cgroup->Kill();
}

void ProcessSandbox::Reap() {
  if (reaped_ || !parts_.pidfd.valid()) return;
  usage_.Reap(parts_.pidfd.get(), parts_.cgroup ? &*parts_.cgroup : nullptr);
  reaped_ = true;
}

ExitReport ProcessSandbox::Exit() {
  Reap();
  ExitReport report;
  int status = 0;
  if (read(parts_.ends.exit_status.get(), &status, sizeof(status)) != sizeof(status)) {
    // The keeper was killed; by whom, if not by our own hand, only it could tell.
    report.signal = SIGKILL;
    report.init_failed = !killed_;
  } else if (status == kInitFailedStatus) {
    report.signal = SIGKILL;
    report.init_failed = true;
  } else if (WIFEXITED(status)) {
    report.exit_code = WEXITSTATUS(status);
  } else {
    report.signal = WTERMSIG(status);
  }
  return report;
}

void ProcessSandbox::MeasureDisk() {
  const std::int64_t now = MonotonicUs();
  if (now < next_measure_us_ && !reaped_) return;
  const RunFolder::Use use = parts_.folder.Measure(parts_.limits.tmp_files_max);
  // A long look is followed by a long pause.
  next_measure_us_ = MonotonicUs() + kMeasureEveryUs + 4 * (MonotonicUs() - now);
  tmp_bytes_ = use.bytes;
  tmp_files_ = use.entries;
  tmp_full_ = tmp_full_ || use.bytes >= parts_.limits.tmp_bytes || use.entries >= parts_.limits.tmp_files_max;
  disk_over_ = disk_over_ || use.bytes > parts_.limits.tmp_bytes || use.entries > parts_.limits.tmp_files_max;
}

ResourceReading ProcessSandbox::Read() {
  MeasureDisk();
  ResourceReading reading =
      usage_.Read(parts_.cgroup ? &*parts_.cgroup : nullptr, reaped_ ? -1 : parts_.keeper, parts_.limits);
  // Not in the reader's own: there they count as memory, and these lie on a disk.
  reading.tmp_bytes = tmp_bytes_;
  reading.tmp_files = tmp_files_;
  reading.tmp_full = tmp_full_;
  reading.disk_over = disk_over_;
  return reading;
}

ResourceReading ProcessSandbox::ReadAtEnd() {
  next_measure_us_ = 0;
  return Read();
}

int ProcessSandbox::denial_fd() const { return parts_.listener ? parts_.listener->fd() : -1; }

Sandbox::Refusals ProcessSandbox::TakeRefusals() {
  Refusals refusals;
  if (!parts_.listener) return refusals;
  refusals.denials = parts_.listener->Take();
  for (const Denial& denial : refusals.denials) refusals_ += denial.count;
  // So many are no mistake any more; and the listener has closed itself.
  refusals.fatal = refusals_ >= SeccompListener::kRefusalsMax;
  return refusals;
}

Expected<std::vector<OutputFile>> ProcessSandbox::CollectFiles(const WantedFile& wanted,
                                                               std::int64_t bytes_max) {
  return casemate::CollectFiles(parts_.workspace.get(), -1, parts_.program_uid, parts_.own_ids, wanted,
                                bytes_max);
}

}  // namespace casemate::process
