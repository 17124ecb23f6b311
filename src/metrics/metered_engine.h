#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "casemate/engine.h"
#include "metrics/exposition.h"

namespace casemate {

// An engine that counts what another one does. No label comes from a program: of its words only those are
// counted that are known here, so that nobody can fill a monitor with names. Thread-safe.
class MeteredEngine : public Engine {
 public:
  // `engine` must outlive it.
  MeteredEngine(Engine& engine, std::string version);
  ~MeteredEngine() override;

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override;
  std::vector<PoolStatus> Pools() const override { return engine_.Pools(); }
  Sessions* sessions() override;

  // What others add, each for itself: families that are in no other part.
  using Part = std::function<void(Exposition&)>;
  // All metrics, in Prometheus' text format.
  std::string Text(const std::vector<Part>& parts = {}) const;

 private:
  using RunKey = std::tuple<std::string, std::string, std::string>;  // status, tier, surface

  class MeteredSessions;

  void Count(const ExecutionRequest& request, const ExecutionResult& result, double seconds);
  void CountStep(const ExecutionRequest& request, const ExecutionResult& result, double seconds);
  void CountWhatHappened(const ExecutionRequest& request, const ExecutionResult& result);
  void WriteRuns(Exposition& out) const;
  void WriteSessions(Exposition& out) const;
  void WritePools(Exposition& out) const;
  void WriteProcess(Exposition& out) const;

  Engine& engine_;
  const std::string version_;
  std::atomic<int> running_ = 0;
  std::once_flag sessions_once_;
  std::unique_ptr<MeteredSessions> sessions_;  // null for an engine without
  std::atomic<std::int64_t> sessions_opened_ = 0;
  mutable std::mutex mutex_;
  std::map<RunKey, std::int64_t> runs_;
  std::map<std::pair<std::string, std::string>, std::int64_t> session_steps_;  // status, surface
  std::map<std::string, Histogram> session_step_durations_;                    // by surface
  std::map<std::string, Histogram> steps_;
  std::map<std::string, Histogram> durations_;  // by surface
  std::map<std::string, std::int64_t> denials_;
  std::map<std::string, std::int64_t> limits_;
  std::map<std::string, std::int64_t> redactions_;
  std::int64_t secrets_resolved_ = 0;
  Histogram memory_;
  double cpu_seconds_ = 0;
  double stdout_bytes_ = 0;
  double stderr_bytes_ = 0;
};

}  // namespace casemate
