#include "isolation/container/sandbox.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "confine/apply.h"
#include "confine/file_agent.h"
#include "confine/syscalls.h"
#include "isolation/container/branching.h"

namespace casemate::container {
namespace {

// Keeps the pid 1 of a session that goes on in its branches; ends with the last of them.
struct Line {
  ContainerSandbox::Parts parts;
  ContainerSandbox::Burial burial;

  Line(ContainerSandbox::Parts&& of, ContainerSandbox::Burial by)
      : parts(std::move(of)), burial(std::move(by)) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    PidfdSendSignal(parts.pidfd.get(), SIGKILL);
    burial(std::move(parts));
  }
};

}  // namespace

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
  // A warm cell's init is no child of the engine: ECHILD, once it is gone.
  if (burial_) {
    pollfd gone{parts_.pidfd.get(), POLLIN, 0};
    while (poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
  }
  usage_.Reap(parts_.pidfd.get(), parts_.cgroup ? &*parts_.cgroup : nullptr);
  reaped_ = true;
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

ResourceReading ContainerSandbox::Read() {
  usage_.TakeScratch(parts_.scratch.get());
  return usage_.Read(parts_.cgroup ? &*parts_.cgroup : nullptr, reaped_ ? -1 : parts_.init, parts_.limits);
}

void ContainerSandbox::Interrupt() noexcept { PidfdSendSignal(parts_.program.get(), SIGINT); }

void ContainerSandbox::BeginStep() {
  usage_.last().tmp_full = false;
  usage_.last().disk_over = false;
  usage_.last().memory_over = false;
}

std::int64_t ContainerSandbox::CpuTimeUs() {
  const auto counted = parts_.cgroup ? parts_.cgroup->ReadCpuTimeUs() : std::nullopt;
  return counted ? *counted : Read().cpu_time_us;
}

void ContainerSandbox::Rest() {
  if (parts_.cgroup) parts_.cgroup->CloseCounters();
}

Expected<std::vector<std::unique_ptr<Sandbox>>> ContainerSandbox::Fork(std::string_view ask, int copies) {
  auto branches = MakeBranches(parts_, ask, copies);
  if (!branches) {
    if (branches.error().code == ErrorCode::kInternal) ContainerSandbox::Kill();
    return std::unexpected(branches.error());
  }
  const auto line = std::make_shared<Line>(std::move(parts_), std::move(burial_));
  for (Parts& parts : *branches) parts.origin = line;
  // This one goes on as the first of them.
  std::unique_ptr<ContainerSandbox> first = line->parts.kin->adopt(std::move(branches->front()));
  parts_ = std::move(first->parts_);
  burial_ = std::exchange(first->burial_, nullptr);
  usage_ = UsageReader();
  refusals_ = 0;
  std::vector<std::unique_ptr<Sandbox>> all;
  for (std::size_t i = 1; i < branches->size(); ++i)
    all.push_back(parts_.kin->adopt(std::move((*branches)[i])));
  return all;
}

int ContainerSandbox::denial_fd() const {
  if (parts_.member) return parts_.member->watch.get();
  return parts_.listener ? parts_.listener->fd() : -1;
}

Sandbox::Refusals ContainerSandbox::TakeRefusals() {
  Refusals refusals;
  if (!parts_.listener && !parts_.member) return refusals;
  refusals.denials = parts_.member ? parts_.family->Take(*parts_.member) : parts_.listener->Take();
  for (const Denial& denial : refusals.denials) refusals_ += denial.count;
  // So many are no mistake any more; and the listener has closed itself.
  refusals.fatal = refusals_ >= SeccompListener::kRefusalsMax;
  return refusals;
}

Expected<std::vector<OutputFile>> ContainerSandbox::CollectFiles(const WantedFile& wanted,
                                                                 std::int64_t bytes_max) {
  return casemate::CollectFiles(parts_.workspace.get(), parts_.user_namespace.get(), kProgramId,
                                parts_.change_ids, wanted, bytes_max);
}

}  // namespace casemate::container
