#include "isolation/oci/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "confine/file_agent.h"
#include "confine/syscalls.h"
#include "confine/tree_sampler.h"
#include "isolation/oci/start_record.h"

namespace casemate::oci {
namespace {

// How long a guard has for its last step before the kernel takes it.
constexpr int kGuardPatienceMs = 100;
// As runsc calls it (memfd_create(2)).
constexpr std::string_view kMemoryFile = "/memfd:runsc-memory";

std::int64_t AllocatedBytes(int fd) {
  constexpr std::int64_t kBlockBytes = 512;  // of st_blocks, whatever the file system's are
  struct stat info {};
  return fd >= 0 && fstat(fd, &info) == 0 ? info.st_blocks * kBlockBytes : 0;
}

}  // namespace

Expected<void> OciSandbox::Parts::TakeBefore() {
  before = cgroup->Read();
  if (!sampled) return {};
  before.cpu_time_us = std::max(before.cpu_time_us, SampleTree(guard, limits.processes_max).cpu_time_us);
  if (!own_kernel || !samples_memory || memory_file.valid()) return {};
  memory_file = FindOpenFile(inside(), ProcessesOfTree(guard, limits.processes_max), kMemoryFile);
  if (memory_file.valid()) return {};
  return Fail(ErrorCode::kUnavailable,
              "the memory of this runsc cannot be counted without a cgroup; run as root, or install the "
              "version that tools/fetch_runsc builds");
}

OciSandbox::~OciSandbox() {
  parts_.relay.reset();
  OciSandbox::Kill();
  if (!reaped_ && parts_.pidfd.valid()) {
    pollfd ended{parts_.pidfd.get(), POLLIN, 0};
    if (poll(&ended, 1, kGuardPatienceMs) <= 0) OciSandbox::Kill();
  }
  Reap();
  parts_.scratch.reset();
  parts_.workspace.reset();
  if (parts_.cgroup) parts_.cgroup->Remove(2000);
}

bool OciSandbox::Begin(const LaunchSpec& spec, std::int64_t at_us) {
  pollfd ended{parts_.pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, 0) != 0) return false;
  // The guard's mount namespace alone has the bundle.
  const std::string view = fmt::format("/proc/{}/root{}", parts_.guard, parts_.root);
  for (const RootFile& file : spec.root_files) {
    if (!file.path.starts_with("/code/")) continue;
    const UniqueFd fd = OpenInside(parts_.inside(), view, file.path.substr(1), O_WRONLY | O_TRUNC);
    if (!fd.valid() ||
        write(fd.get(), file.bytes.data(), file.bytes.size()) != static_cast<ssize_t>(file.bytes.size()))
      return false;
  }
  if (!parts_.TakeBefore()) return false;
  parts_.started_at_us = MonotonicUs();
  parts_.timings = {{"take_sandbox", parts_.started_at_us - at_us}};
  return true;
}

int OciSandbox::ChannelFd(Channel channel) const {
  return parts_.ends.channels[static_cast<std::size_t>(channel)].get();
}

void OciSandbox::CloseChannel(Channel channel) {
  parts_.ends.channels[static_cast<std::size_t>(channel)].reset();
}

void OciSandbox::Kill() noexcept {
  if (reaped_ || !parts_.pidfd.valid()) return;
  // At the end of its lifeline the guard ends all that there is, and itself. Who has to ask again asks the
  // kernel, which kills everything in the pid namespace with its init (pid_namespaces(7)): the container, and
  // whatever else its runtime has started.
  if (killed_) PidfdSendSignal(parts_.pidfd.get(), SIGKILL);
  killed_ = true;
  parts_.ends.lifeline.reset();
  if (parts_.cgroup) parts_.cgroup->Kill();
}

void OciSandbox::Reap() {
  if (reaped_ || !parts_.pidfd.valid()) return;
  // The kernel tells the peak of the largest process that the guard has had, which may be the runtime.
  const std::int64_t peak = usage_.last().memory_peak_bytes;
  usage_.Reap(parts_.pidfd.get(), parts_.cgroup ? &*parts_.cgroup : nullptr);
  usage_.last().memory_peak_bytes = peak;
  reaped_ = true;
}

ExitReport OciSandbox::Exit() {
  Reap();
  // Nobody is left who could say more.
  if (parts_.relay) parts_.relay->Finish();
  ExitReport report;
  StartRecord record;
  if (read(parts_.records.get(), &record, sizeof(record)) != sizeof(record) ||
      record.what != StartRecord::kOver) {
    // The container's init ended before its program. In gVisor the program itself can have killed it;
    // elsewhere, and where the guard tells of a process that was killed, it was us, the kernel for memory, or
    // somebody else.
    int status = 0;
    const bool killed_outside = read(parts_.ends.exit_status.get(), &status, sizeof(status)) > 0;
    report.signal = SIGKILL;
    report.init_failed = !killed_ && (killed_outside || !parts_.own_kernel);
  } else if (WIFEXITED(record.value)) {
    report.exit_code = WEXITSTATUS(record.value);
  } else {
    report.signal = WTERMSIG(record.value);
  }
  return report;
}

ResourceReading OciSandbox::Read() {
  usage_.TakeScratch(parts_.scratch.get());
  // Of gVisor a sample counts the threads of its kernel, too: only where nothing else tells more.
  const bool told = parts_.own_kernel && !parts_.sampled;
  const pid_t tree = reaped_ || told ? -1 : parts_.guard;
  if (tree >= 0) usage_.set_shared_bytes(AllocatedBytes(parts_.memory_file.get()));
  ResourceReading reading = usage_.Read(parts_.cgroup ? &*parts_.cgroup : nullptr, tree, parts_.limits);
  reading.cpu_time_us = std::max<std::int64_t>(0, reading.cpu_time_us - parts_.before.cpu_time_us);
  // A peak that the runtime had with its own threads says nothing of the program; of a later one the guard is
  // ours, and what carries its connections.
  const bool later = reading.processes_peak > parts_.before.processes_peak;
  reading.processes_peak = later ? reading.processes_peak - (parts_.relay ? 2 : 1) : 0;
  if (parts_.own_kernel) {
    // The kernel's counters are of host threads, which are not the program's processes.
    reading.processes_peak = 0;
    reading.process_refusals = 0;
  }
  return reading;
}

Expected<std::vector<OutputFile>> OciSandbox::CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) {
  return casemate::CollectFiles(parts_.workspace.get(), parts_.user_namespace.get(), parts_.program_uid,
                                parts_.change_ids, wanted, bytes_max);
}

}  // namespace casemate::oci
