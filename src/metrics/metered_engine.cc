#include "metrics/metered_engine.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "model/forwarding_sessions.h"

namespace casemate {
namespace {

// Steps that the engine and its tiers name; a program's own are its word, and left out.
constexpr std::array<std::string_view, 21> kSteps = {
    "check", "inspect",  "secrets",   "egress_proxy",   "redact",    "environment", "admit",           "plan",
    "audit", "prepare",  "clone",     "cgroup",         "ids",       "mounts",      "drop_privileges", "exec",
    "run",   "teardown", "take_cell", "fork_on_demand", "adapt_cell"};
constexpr std::array<std::string_view, 5> kDenialKinds = {"syscall", "network", "path", "limit", "import"};

// Which limit a status tells of; "" for none.
std::string_view LimitOf(Status status) {
  switch (status) {
    case Status::kTimeout:
      return "wall_time";
    case Status::kCpuLimit:
      return "cpu_time";
    case Status::kMemoryLimit:
      return "memory";
    case Status::kProcessLimit:
      return "processes";
    case Status::kDiskLimit:
      return "disk";
    case Status::kOutputLimit:
      return "output";
    case Status::kOk:
    case Status::kError:
    case Status::kResultInvalid:
    case Status::kRejected:
    case Status::kDenied:
    case Status::kCancelled:
    case Status::kUnavailable:
    case Status::kFailed:
      break;
  }
  return "";
}

Histogram StepHistogram() {
  return Histogram{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                   0.025,   0.05,   0.1,     0.5,    1,     5,      30};
}
Histogram DurationHistogram() {
  return Histogram{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

// The histogram of `name`, which is made when there is none.
Histogram& HistogramOf(std::map<std::string, Histogram>& all, const std::string& name, Histogram (*make)()) {
  const auto known = all.find(name);
  return known != all.end() ? known->second : all.emplace(name, make()).first->second;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// The second field of /proc/self/statm, in pages.
double ResidentBytes() {
  const std::string text = ReadKernelFile("/proc/self/statm");
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return static_cast<double>(std::strtoll(text.c_str() + space, nullptr, 10)) *
         static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double OpenDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), ::closedir);
  if (!dir) return 0;
  double count = 0;
  while (::readdir(dir.get()) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): the stream is ours
  return count - 3;                                 // ".", ".." and the folder itself
}

}  // namespace

// Counts the steps of sessions; what they do besides goes on as it is.
class MeteredEngine::MeteredSessions : public ForwardingSessions {
 public:
  MeteredSessions(Sessions& inner, MeteredEngine& engine) : ForwardingSessions(inner), engine_(engine) {}

  Expected<SessionInfo> Open(const SessionOptions& options) override {
    auto opened = ForwardingSessions::Open(options);
    if (opened) ++engine_.sessions_opened_;
    return opened;
  }
  Expected<ExecutionResult> RunIn(const std::string& id, const std::string& context,
                                  const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                  bool cancel_on_hang_up) override {
    const std::int64_t begin = MonotonicUs();
    ++engine_.running_;
    auto result = ForwardingSessions::RunIn(id, context, request, sink, cancel_fd, cancel_on_hang_up);
    --engine_.running_;
    if (result) engine_.CountStep(request, *result, static_cast<double>(MonotonicUs() - begin) / 1e6);
    return result;
  }

 private:
  MeteredEngine& engine_;
};

MeteredEngine::MeteredEngine(Engine& engine, std::string version)
    : engine_(engine), version_(std::move(version)), memory_{1 << 20,   4 << 20, 16 << 20, 64 << 20,
                                                             256 << 20, 1 << 30, 4e9,      16e9} {}

MeteredEngine::~MeteredEngine() = default;

Sessions* MeteredEngine::sessions() {
  std::call_once(sessions_once_, [this] {
    if (Sessions* inner = engine_.sessions()) sessions_ = std::make_unique<MeteredSessions>(*inner, *this);
  });
  return sessions_.get();
}

ExecutionResult MeteredEngine::Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                       CancelWhen cancel_when) {
  const std::int64_t begin = MonotonicUs();
  ++running_;
  ExecutionResult result = engine_.Execute(request, sink, cancel_fd, cancel_when);
  --running_;
  Count(request, result, static_cast<double>(MonotonicUs() - begin) / 1e6);
  return result;
}

void MeteredEngine::Count(const ExecutionRequest& request, const ExecutionResult& result, double seconds) {
  const bool had_tier = !result.isolation.enforced.empty();
  const std::lock_guard lock(mutex_);
  ++runs_[{std::string(StatusName(result.status)),
           had_tier ? std::string(TierName(result.isolation.tier)) : "none", request.origin.surface}];
  HistogramOf(durations_, request.origin.surface, DurationHistogram).Observe(seconds);
  CountWhatHappened(request, result);
  if (MayHaveRun(result.status)) memory_.Observe(static_cast<double>(result.usage.memory_peak_bytes));
}

// The memory of a session is no step's.
void MeteredEngine::CountStep(const ExecutionRequest& request, const ExecutionResult& result,
                              double seconds) {
  const std::lock_guard lock(mutex_);
  ++session_steps_[{std::string(StatusName(result.status)), request.origin.surface}];
  HistogramOf(session_step_durations_, request.origin.surface, DurationHistogram).Observe(seconds);
  CountWhatHappened(request, result);
}

// With mutex_ held.
void MeteredEngine::CountWhatHappened(const ExecutionRequest& request, const ExecutionResult& result) {
  for (const Timing& timing : result.timings) {
    if (std::ranges::find(kSteps, timing.step) == kSteps.end()) continue;
    if (timing.step == "secrets") secrets_resolved_ += static_cast<std::int64_t>(request.secrets.size());
    HistogramOf(steps_, timing.step, StepHistogram).Observe(static_cast<double>(timing.microseconds) / 1e6);
  }
  for (const Denial& denial : result.denials) {
    const bool known = std::ranges::find(kDenialKinds, denial.kind) != kDenialKinds.end();
    denials_[known ? denial.kind : "other"] += denial.count;
  }
  for (const Redaction& redaction : result.redactions) {
    redactions_[redaction.rule.starts_with("known:") ? "known" : redaction.rule] += redaction.count;
  }
  if (const std::string_view limit = LimitOf(result.status); !limit.empty()) ++limits_[std::string(limit)];
  if (!MayHaveRun(result.status)) return;
  cpu_seconds_ += static_cast<double>(result.usage.cpu_ms) / 1000;
  stdout_bytes_ += static_cast<double>(result.usage.stdout_bytes);
  stderr_bytes_ += static_cast<double>(result.usage.stderr_bytes);
}

std::string MeteredEngine::Text(const std::vector<Part>& parts) const {
  Exposition out;
  {
    const std::lock_guard lock(mutex_);
    WriteRuns(out);
    WriteSessions(out);
  }
  WritePools(out);
  WriteProcess(out);
  for (const Part& part : parts) part(out);
  return std::move(out).Take();
}

void MeteredEngine::WriteRuns(Exposition& out) const {
  const auto counts = [&out](std::string_view name, std::string_view help, std::string_view label,
                             const std::map<std::string, std::int64_t>& map) {
    out.Family(name, "counter", help);
    for (const auto& [value, count] : map) out.Sample({{label, value}}, static_cast<double>(count));
  };
  out.Family("casemate_runs_total", "counter", "Runs that have ended, by how, where and for whom.");
  for (const auto& [key, count] : runs_) {
    const auto& [status, tier, surface] = key;
    out.Sample({{"status", status}, {"tier", tier}, {"surface", surface}}, static_cast<double>(count));
  }
  out.Family("casemate_runs_running", "gauge", "Runs that have begun and not ended.");
  out.Sample({}, running_.load());
  out.Family("casemate_run_duration_seconds", "histogram", "From a request to its result.");
  for (const auto& [surface, histogram] : durations_) histogram.Write(out, {{"surface", surface}});
  out.Family("casemate_run_step_seconds", "histogram", "What each step of a run took.");
  for (const auto& [step, histogram] : steps_) histogram.Write(out, {{"step", step}});
  counts("casemate_denials_total", "What programs were refused.", "kind", denials_);
  counts("casemate_redactions_total",
         "What was taken out of what left, by rule; \"known\" are values of runs.", "rule", redactions_);
  out.Family("casemate_secrets_resolved_total", "counter", "Secrets whose values runs were given.");
  out.Sample({}, static_cast<double>(secrets_resolved_));
  counts("casemate_limits_hit_total", "Runs, and steps of sessions, that a limit ended.", "limit", limits_);
  out.Family("casemate_sandbox_memory_peak_bytes", "histogram", "Peak memory of each run.");
  memory_.Write(out, {});
  out.Family("casemate_sandbox_cpu_seconds_total", "counter", "CPU time of all programs.");
  out.Sample({}, cpu_seconds_);
  out.Family("casemate_output_bytes_total", "counter", "What programs have written.");
  out.Sample({{"stream", "stdout"}}, stdout_bytes_);
  out.Sample({{"stream", "stderr"}}, stderr_bytes_);
}

void MeteredEngine::WriteSessions(Exposition& out) const {
  out.Family("casemate_sessions_opened_total", "counter", "Sessions that have begun.");
  out.Sample({}, static_cast<double>(sessions_opened_.load()));
  out.Family("casemate_session_steps_total", "counter",
             "Steps of sessions that have ended, by how and for whom.");
  for (const auto& [key, count] : session_steps_) {
    out.Sample({{"status", key.first}, {"surface", key.second}}, static_cast<double>(count));
  }
  out.Family("casemate_session_step_duration_seconds", "histogram", "From a step's request to its result.");
  for (const auto& [surface, histogram] : session_step_durations_)
    histogram.Write(out, {{"surface", surface}});
}

void MeteredEngine::WritePools(Exposition& out) const {
  const std::vector<PoolStatus> pools = engine_.Pools();
  out.Family("casemate_pool_cells", "gauge", "Warm cells, by what they do.");
  for (const PoolStatus& pool : pools) {
    out.Sample({{"environment", pool.environment}, {"state", "ready"}}, pool.cells_ready);
    out.Sample({{"environment", pool.environment}, {"state", "running"}}, pool.cells_running);
  }
  out.Family("casemate_pool_cells_max", "gauge", "Warm cells that may wait at one time.");
  for (const PoolStatus& pool : pools) out.Sample({{"environment", pool.environment}}, pool.cells_max);
  out.Family("casemate_pool_taken_total", "counter", "Runs that got a warm cell.");
  for (const PoolStatus& pool : pools) {
    out.Sample({{"environment", pool.environment}}, static_cast<double>(pool.taken));
  }
  out.Family("casemate_pool_forked_on_demand_total", "counter", "Of those, runs that found no cell waiting.");
  for (const PoolStatus& pool : pools) {
    out.Sample({{"environment", pool.environment}}, static_cast<double>(pool.forked_on_demand));
  }
}

void MeteredEngine::WriteProcess(Exposition& out) const {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  out.Family("casemate_build_info", "gauge", "The engine's version.");
  out.Sample({{"version", version_}}, 1);
  out.Family("process_cpu_seconds_total", "counter", "CPU time of the engine itself.");
  out.Sample({}, Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  out.Family("process_resident_memory_bytes", "gauge", "Memory of the engine itself.");
  out.Sample({}, ResidentBytes());
  out.Family("process_open_fds", "gauge", "Descriptors of the engine.");
  out.Sample({}, OpenDescriptors());
}

}  // namespace casemate
