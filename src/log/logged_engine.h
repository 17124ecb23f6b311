#pragma once

#include <vector>

#include "casemate/engine.h"
#include "log/logger.h"

namespace casemate {

// An engine that says what becomes of another one's runs: each at the level debug, one that was refused
// something, hit a limit or never ran at info, and our own failures at error. Names and numbers alone: no
// word of a program but the types of what it was denied. Thread-safe.
class LoggedEngine : public Engine {
 public:
  // Both must outlive it.
  LoggedEngine(Engine& engine, Logger& logger) : engine_(engine), logger_(logger) {}

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override;
  std::vector<PoolStatus> Pools() const override { return engine_.Pools(); }
  Sessions* sessions() override { return engine_.sessions(); }

 private:
  void Tell(const ExecutionRequest& request, const ExecutionResult& result, std::int64_t wall_us);

  Engine& engine_;
  Logger& logger_;
};

}  // namespace casemate
