#include "isolation/container/sandbox.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "confine/apply.h"
#include "confine/syscalls.h"
#include "confine/tree_sampler.h"
#include "isolation/container/file_agent.h"

namespace casemate::container {
ContainerSandbox::~ContainerSandbox() {
  ContainerSandbox::Kill();
  if (burial_) {
    burial_(std::move(parts_));
    return;
  }
  Reap();
  parts_.scratch.reset();
  parts_.workspace.reset();
  if (parts_.cgroup) parts_.cgroup->Remove(2000);
}

int ContainerSandbox::ChannelFd(Channel channel) const {
  return parts_.channels[static_cast<std::size_t>(channel)].get();
}

void ContainerSandbox::CloseChannel(Channel channel) {
  parts_.channels[static_cast<std::size_t>(channel)].reset();
}

void ContainerSandbox::Kill() noexcept {
  if (reaped_ || !parts_.pidfd.valid()) return;
  // The kernel kills everything in the pid namespace with its init (pid_namespaces(7)).
  killed_ = true;
  PidfdSendSignal(parts_.pidfd.get(), SIGKILL);
  if (parts_.cgroup && !burial_) parts_.cgroup->Kill();
}

void ContainerSandbox::Reap() {
  if (reaped_ || !parts_.pidfd.valid()) return;
  siginfo_t info{};
  rusage usage{};
  // A warm cell's init is no child of the engine: ECHILD, once it is gone.
  if (burial_) {
    pollfd gone{parts_.pidfd.get(), POLLIN, 0};
    while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
  }
  // The raw call: the C library's waitid(2) has no rusage.
  while (syscall(SYS_waitid, P_PIDFD, parts_.pidfd.get(), &info, WEXITED, &usage) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  const auto micros = [](const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  last_.cpu_time_us = std::max(last_.cpu_time_us, micros(usage.ru_utime) + micros(usage.ru_stime));
  const bool no_counter = !parts_.cgroup || parts_.cgroup->folders().empty();
  if (no_counter)
    last_.memory_peak_bytes = std::max(last_.memory_peak_bytes, std::int64_t{usage.ru_maxrss} * 1024);
}

ExitReport ContainerSandbox::Exit() {
  Reap();
  ExitReport report;
  int status = 0;
  if (read(parts_.exit_status.get(), &status, sizeof(status)) != sizeof(status)) {
    report.signal = SIGKILL;  // init itself was killed, and the program with it
  } else if (status == kInitFailedStatus) {
    report.signal = SIGKILL;
    report.init_failed = true;
  } else if (WIFEXITED(status)) {
    report.exit_code = WEXITSTATUS(status);
  } else {
    report.signal = WTERMSIG(status);
  }
  if (report.signal == SIGKILL && !killed_ && ZygoteIsDead()) report.init_failed = true;
  return report;
}

// The kernel kills all cells with their zygote, and the order is not known.
bool ContainerSandbox::ZygoteIsDead() const {
  constexpr int kPatienceMs = 50;
  if (!parts_.zygote_control) return false;
  pollfd gone{parts_.zygote_control->get(), 0, 0};
  return poll(&gone, 1, kPatienceMs) > 0;
}

void ContainerSandbox::ReadSampled() {
  if (reaped_) return;
  const TreeSample sample = SampleTree(parts_.init, parts_.limits.processes_max + 16);
  last_.cpu_time_us = std::max(last_.cpu_time_us, sample.cpu_time_us);
  last_.processes_peak = std::max(last_.processes_peak, sample.tasks);
  // tmpfs pages are nobody's resident memory but count all the same.
  const std::int64_t memory = sample.memory_bytes + last_.tmp_bytes;
  last_.memory_peak_bytes = std::max(last_.memory_peak_bytes, memory);
  last_.memory_over = last_.memory_over || memory > parts_.limits.memory_bytes;
  // RLIMIT_NPROC refuses forks without a counter; a full house is the evidence.
  if (sample.tasks >= parts_.limits.processes_max) ++last_.process_refusals;
}

ResourceReading ContainerSandbox::Read() {
  struct statfs space {};
  if (parts_.scratch.valid() && fstatfs(parts_.scratch.get(), &space) == 0) {
    last_.tmp_bytes = static_cast<std::int64_t>(space.f_blocks - space.f_bfree) * space.f_bsize;
    last_.tmp_files = static_cast<std::int64_t>(space.f_files - space.f_ffree);
    last_.tmp_full = last_.tmp_full || space.f_bfree == 0 || space.f_ffree == 0;
  }
  CgroupReading counters;
  if (parts_.cgroup) counters = parts_.cgroup->Read();
  const bool has_memory = counters.memory_peak_bytes > 0;
  const bool has_processes = counters.processes_peak > 0 || counters.process_refusals > 0;
  if (!has_memory || counters.cpu_time_us == 0 || !has_processes) ReadSampled();
  last_.cpu_time_us = std::max(last_.cpu_time_us, counters.cpu_time_us);
  if (has_memory) last_.memory_peak_bytes = counters.memory_peak_bytes;
  last_.memory_kills = counters.memory_kills;
  if (has_processes) {
    last_.process_refusals = counters.process_refusals;
    last_.processes_peak = std::max(last_.processes_peak, counters.processes_peak);
  }
  return last_;
}

int ContainerSandbox::denial_fd() const { return parts_.listener ? parts_.listener->fd() : -1; }

Sandbox::Refusals ContainerSandbox::TakeRefusals() {
  Refusals refusals;
  if (!parts_.listener) return refusals;
  refusals.denials = parts_.listener->Take();
  for (const Denial& denial : refusals.denials) refusals_ += denial.count;
  // So many are no mistake any more; and the listener has closed itself.
  refusals.fatal = refusals_ >= SeccompListener::kRefusalsMax;
  return refusals;
}

Expected<std::vector<OutputFile>> ContainerSandbox::CollectFiles(const WantedFile& wanted,
                                                                 std::int64_t bytes_max) {
  return container::CollectFiles(parts_.workspace.get(), parts_.user_namespace.get(), kProgramId,
                                 parts_.change_ids, wanted, bytes_max);
}

}  // namespace casemate::container
