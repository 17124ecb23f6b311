#include "measure/meter.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <functional>
#include <system_error>
#include <thread>

#include "base/clock.h"

namespace casemate {
namespace {

bool StartOne(std::vector<std::thread>& threads, const std::function<void()>& work) {
  try {
    threads.emplace_back(work);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

void Meter::Add(std::int64_t whole_us, const ExecutionResult& result) {
  const std::lock_guard lock(mutex_);
  Run run{whole_us, std::vector<std::int64_t>(step_names_.size(), kNone)};
  for (const Timing& timing : result.timings) {
    const auto found = std::ranges::find(step_names_, timing.step);
    const auto index = static_cast<std::size_t>(found - step_names_.begin());
    if (found == step_names_.end()) step_names_.push_back(timing.step);
    if (index >= run.step_us.size()) run.step_us.resize(index + 1, kNone);
    // A step that comes twice is one of both.
    run.step_us[index] = std::max<std::int64_t>(run.step_us[index], 0) + timing.microseconds;
  }
  runs_.push_back(std::move(run));
  ++by_status_[result.status];
}

MeterReport Meter::Report(std::size_t runs_max) const {
  const std::lock_guard lock(mutex_);
  MeterReport report;
  report.runs = static_cast<std::int64_t>(runs_.size());
  report.by_status = by_status_;
  for (const std::string& name : step_names_) report.steps.push_back({name, {}});
  for (std::size_t i = runs_.size() - std::min(runs_.size(), runs_max); i < runs_.size(); ++i) {
    report.whole.Add(static_cast<double>(runs_[i].whole_us));
    for (std::size_t step = 0; step < runs_[i].step_us.size(); ++step) {
      const std::int64_t us = runs_[i].step_us[step];
      if (us != kNone) report.steps[step].times.Add(static_cast<double>(us));
    }
  }
  return report;
}

std::optional<ExecutionResult> Measure(Engine& engine, const ExecutionRequest& request,
                                       const MeasureOptions& options, Meter& meter) {
  std::atomic<std::int64_t> begun = 0;
  std::mutex mutex;
  std::optional<ExecutionResult> failure;
  const auto work = [&] {
    while (begun.fetch_add(1) < options.rounds) {
      const std::int64_t begin_us = MonotonicUs();
      ExecutionResult result = engine.Execute(request, nullptr, options.cancel_fd);
      const std::int64_t whole_us = MonotonicUs() - begin_us;
      if (result.status == Status::kCancelled) return;
      if (!MayHaveRun(result.status) || result.status == Status::kFailed) {
        begun = options.rounds;
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::move(result);
        return;
      }
      meter.Add(whole_us, result);
    }
  };
  // Signals are for the caller's thread: it is the one whose calls they must interrupt.
  sigset_t all;
  sigset_t former;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &former);
  std::vector<std::thread> clients;
  // Fewer measure too where the system has no more threads.
  while (static_cast<int>(clients.size()) < options.clients && StartOne(clients, work)) {
  }
  ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  for (std::thread& client : clients) client.join();
  return failure;
}

}  // namespace casemate
