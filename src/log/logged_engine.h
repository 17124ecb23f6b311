#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/engine.h"
#include "log/logger.h"

namespace casemate {

// An engine that says what becomes of another one's runs and sessions' steps: each at the level debug, one
// that was refused something, hit a limit or never ran at info, and our own failures at error. Names and
// numbers alone: no word of a program but the types of what it was denied. Thread-safe.
class LoggedEngine : public Engine {
 public:
  // Both must outlive it.
  LoggedEngine(Engine& engine, Logger& logger);
  ~LoggedEngine() override;

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override;
  std::vector<PoolStatus> Pools() const override { return engine_.Pools(); }
  Sessions* sessions() override;

 private:
  class LoggedSessions;

  void Tell(std::string_view what, const std::string& session, const ExecutionRequest& request,
            const ExecutionResult& result, std::int64_t wall_us);

  Engine& engine_;
  Logger& logger_;
  std::once_flag sessions_once_;
  std::unique_ptr<LoggedSessions> sessions_;  // null for an engine without
};

}  // namespace casemate
