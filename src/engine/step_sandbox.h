#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "casemate/backend.h"
#include "casemate/session.h"

namespace casemate {

// A session's sandbox as the supervisor sees it during one step: time, CPU time and counters begin with the
// step, and to kill it is first to interrupt it. One step, one thread, but for the two flags.
class StepSandbox : public Sandbox {
 public:
  // Set by other threads at any time; seen within a tick of the supervisor.
  struct Wishes {
    std::atomic<bool> interrupt = false;
    std::atomic<bool> end = false;
  };

  // All outlive it. `live.session()` is not null.
  // `interrupts` counts those that were sent.
  StepSandbox(Sandbox& live, const Wishes& wishes, std::int64_t& interrupts)
      : live_(live), wishes_(wishes), interrupts_(interrupts), started_at_us_(MonotonicUs()) {
    live_.session()->BeginStep();
    before_ = live_.Read();
  }

  std::int64_t cpu_before_us() const { return before_.cpu_time_us; }

  // The step's input is in the session's own pipe, which stays; its stdin is at its end.
  int ChannelFd(Channel channel) const override {
    return channel == Channel::kStdin ? -1 : live_.ChannelFd(channel);
  }
  void CloseChannel(Channel channel) override {
    if (channel == Channel::kRequest || channel == Channel::kStdin) return;
    live_.CloseChannel(channel);
    // No step can be told any more.
    if (channel == Channel::kResult) live_.Kill();
  }
  bool writes_directly() const override { return live_.writes_directly(); }
  std::int64_t started_at_us() const override { return started_at_us_; }
  int exit_fd() const override { return live_.exit_fd(); }
  ExitReport Exit() override { return live_.Exit(); }
  void Kill() noexcept override {
    if (interrupted_at_us_ == 0) {
      interrupted_at_us_ = MonotonicUs();
      ++interrupts_;
      live_.session()->Interrupt();
    } else if (MonotonicUs() - interrupted_at_us_ > kInterruptGraceMs * 1000) {
      live_.Kill();
    }
  }
  ResourceReading Read() override {
    if (wishes_.end) live_.Kill();
    if (wishes_.interrupt) Kill();
    ResourceReading reading = live_.Read();
    reading.cpu_time_us -= before_.cpu_time_us;
    reading.memory_kills -= before_.memory_kills;
    reading.process_refusals -= before_.process_refusals;
    return reading;
  }
  int denial_fd() const override { return live_.denial_fd(); }
  Refusals TakeRefusals() override { return live_.TakeRefusals(); }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override {
    return live_.CollectFiles(wanted, bytes_max);
  }
  std::vector<Timing> StartTimings() const override { return {}; }

 private:
  Sandbox& live_;
  const Wishes& wishes_;
  std::int64_t& interrupts_;
  const std::int64_t started_at_us_;
  ResourceReading before_;
  std::int64_t interrupted_at_us_ = 0;
};

}  // namespace casemate
