#include "log/logged_engine.h"

#include <fmt/format.h>

#include "base/clock.h"

namespace casemate {
namespace {

LogLevel LevelOf(const ExecutionResult& result) {
  if (result.status == Status::kFailed) return LogLevel::kError;
  if (result.status == Status::kUnavailable) return LogLevel::kWarning;
  const bool plain = result.status == Status::kOk || result.status == Status::kError;
  return plain && result.denials.empty() ? LogLevel::kDebug : LogLevel::kInfo;
}

}  // namespace

ExecutionResult LoggedEngine::Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                      CancelWhen cancel_when) {
  const std::int64_t begin_us = MonotonicUs();
  ExecutionResult result = engine_.Execute(request, sink, cancel_fd, cancel_when);
  if (logger_.Takes(LevelOf(result))) Tell(request, result, MonotonicUs() - begin_us);
  return result;
}

void LoggedEngine::Tell(const ExecutionRequest& request, const ExecutionResult& result,
                        std::int64_t wall_us) {
  const Origin& origin = request.origin;
  // What a refusal or a failure of ours says is our own sentence; what a program raised is not.
  const bool ours = result.status == Status::kFailed || !MayHaveRun(result.status);
  logger_.Log(
      LevelOf(result), "a run has ended",
      {{"id", result.id},
       {"status", std::string(StatusName(result.status))},
       {"caller", origin.caller},
       {"surface", origin.surface},
       {"tier", result.isolation.enforced.empty() ? "none" : std::string(TierName(result.isolation.tier))},
       {"wall_us", fmt::format("{}", wall_us)},
       {"denials", fmt::format("{}", result.denials.size())},
       {"trace_parent", origin.trace_parent},
       {"reason", ours && result.error ? result.error->message : ""}});
}

}  // namespace casemate
