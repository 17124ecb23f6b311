// Theory of operation: an interpreter that has read nothing yet has seen nothing of a run, so that it may be
// started before there is one. What it is given comes through its request channel; only the program's text is
// also a file, which is written into the bundle at the last moment. Everything that is decided when a sandbox
// starts (the policy with its limits, the environment, its files) must be what the run asks for, or the run
// starts cold. What no two runs share (secrets, files, variables, a workspace) always does.
#include "isolation/oci/warm_sandboxes.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace casemate::oci {
namespace {

constexpr std::int64_t kIdleUs = 600'000'000;
constexpr std::int64_t kAfterFailureUs = 10'000'000;
constexpr std::chrono::seconds kLook(1);
constexpr std::string_view kCodeFolder = "/code/";

// Why such a run always starts cold; "" when it need not.
std::string_view WhyCold(const LaunchSpec& spec) {
  if (!spec.control_channel) return "it runs a command";
  if (spec.policy.network.open()) return "it is given a network";
  if (!spec.session.empty()) return "it is a session's";
  if (spec.terminal) return "it is given a terminal";
  if (!spec.secrets.empty()) return "it is given secrets";
  if (!spec.env.empty()) return "it is given variables";
  if (!spec.files.empty() || spec.workspace || !spec.mounts.empty()) return "it is given files";
  return "";
}

bool SameFile(const RootFile& a, const RootFile& b) {
  return a.path == b.path && (a.path.starts_with(kCodeFolder) || a.bytes == b.bytes);
}

bool SameSandbox(const LaunchSpec& a, const LaunchSpec& b) {
  return a.policy == b.policy && a.environment == b.environment && a.argv == b.argv &&
         a.working_dir == b.working_dir && a.stdin_pipe == b.stdin_pipe &&
         std::ranges::equal(a.root_files, b.root_files, SameFile);
}

// What an interpreter that has started may have read: itself, and what lies in its folders.
LoadedFiles FilesOf(const EnvironmentView& environment) {
  std::vector<std::string> paths = environment.sys_path;
  paths.push_back(environment.python);
  return LoadedFiles(paths);
}

// Only what SameSandbox compares: WhyCold has found nothing else in it.
LaunchSpec WithoutProgram(const LaunchSpec& spec) {
  LaunchSpec pattern;
  pattern.id = "warm";
  pattern.policy = spec.policy;
  pattern.environment = spec.environment;
  pattern.argv = spec.argv;
  pattern.working_dir = spec.working_dir;
  pattern.stdin_pipe = spec.stdin_pipe;
  pattern.control_channel = true;
  pattern.root_files = spec.root_files;
  for (RootFile& file : pattern.root_files) {
    if (file.path.starts_with(kCodeFolder)) file.bytes.clear();
  }
  return pattern;
}

}  // namespace

WarmSandboxes::WarmSandboxes(std::string name, Launcher launch)
    : name_(std::move(name)), launch_(std::move(launch)) {}

WarmSandboxes::~WarmSandboxes() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<OciSandbox> WarmSandboxes::Take(const LaunchSpec& spec) {
  const std::int64_t begin = MonotonicUs();
  const std::lock_guard lock(mutex_);
  if (const std::string_view why = WhyCold(spec); !why.empty()) {
    ++cold_[std::string(why)];
    return nullptr;
  }
  asked_at_us_ = begin;
  if (!pattern_ || !SameSandbox(*pattern_, spec) || files_.HaveChanged()) {
    std::ranges::move(ready_, std::back_inserter(dropped_));
    ready_.clear();
    pattern_ = WithoutProgram(spec);
    files_ = FilesOf(spec.environment);
    ++pattern_number_;
  }
  std::unique_ptr<OciSandbox> taken;
  while (!ready_.empty() && !taken) {
    std::unique_ptr<OciSandbox> next = std::move(ready_.front());
    ready_.pop_front();
    if (next->Begin(spec, begin)) {
      taken = std::move(next);
    } else {
      dropped_.push_back(std::move(next));
    }
  }
  taken ? ++taken_ : ++cold_["no sandbox was ready for such a run"];
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  changed_.notify_all();
  return taken;
}

std::vector<PoolStatus> WarmSandboxes::status() const {
  const std::lock_guard lock(mutex_);
  if (!pattern_) return {};
  PoolStatus status;
  status.environment = pattern_->environment.name + " (" + name_ + ")";
  status.cells_ready = static_cast<int>(ready_.size());
  status.cells_max = static_cast<int>(kReadyMax);
  status.taken = taken_;
  status.cold = cold_;
  return {status};
}

void WarmSandboxes::Run() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    const std::int64_t now = MonotonicUs();
    const bool idle = now - asked_at_us_ > kIdleUs;
    if (idle) {
      std::ranges::move(ready_, std::back_inserter(dropped_));
      ready_.clear();
    }
    if (!dropped_.empty()) {
      std::deque<std::unique_ptr<OciSandbox>> dropped;
      dropped.swap(dropped_);
      lock.unlock();
      dropped.clear();
      lock.lock();
      continue;
    }
    const bool may = failed_at_us_ == 0 || now - failed_at_us_ > kAfterFailureUs;
    if (idle || !may || ready_.size() >= kReadyMax) {
      changed_.wait_for(lock, kLook);
      continue;
    }
    const std::uint64_t number = pattern_number_;
    const LaunchSpec pattern = WithoutProgram(*pattern_);
    lock.unlock();
    auto made = launch_(pattern);
    lock.lock();
    // An error is the next run's own to tell.
    failed_at_us_ = made ? 0 : MonotonicUs();
    if (made) (number == pattern_number_ ? ready_ : dropped_).push_back(*std::move(made));
  }
  // Without the lock nobody waits for what takes long.
  std::ranges::move(ready_, std::back_inserter(dropped_));
  ready_.clear();
  std::deque<std::unique_ptr<OciSandbox>> last;
  last.swap(dropped_);
  lock.unlock();
}

}  // namespace casemate::oci
