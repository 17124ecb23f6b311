#include "log/logged_engine.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "model/forwarding_sessions.h"

namespace casemate {
namespace {

LogLevel LevelOf(const ExecutionResult& result) {
  if (result.status == Status::kFailed) return LogLevel::kError;
  if (result.status == Status::kUnavailable) return LogLevel::kWarning;
  const bool plain = result.status == Status::kOk || result.status == Status::kError;
  return plain && result.denials.empty() ? LogLevel::kDebug : LogLevel::kInfo;
}

}  // namespace

class LoggedEngine::LoggedSessions : public ForwardingSessions {
 public:
  LoggedSessions(Sessions& inner, LoggedEngine& engine) : ForwardingSessions(inner), engine_(engine) {}

  Expected<SessionInfo> Open(const SessionOptions& options) override {
    auto opened = ForwardingSessions::Open(options);
    const Origin& origin = options.base.origin;
    engine_.logger_.Log(opened ? LogLevel::kDebug : LogLevel::kWarning,
                        opened ? "a session has begun" : "a session could not begin",
                        {{"session", opened ? opened->id : ""},
                         {"caller", origin.caller},
                         {"surface", origin.surface},
                         {"reason", opened ? "" : opened.error().message}});
    return opened;
  }
  Expected<ExecutionResult> RunIn(const std::string& id, const std::string& context,
                                  const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                  bool cancel_on_hang_up) override {
    const std::int64_t begin_us = MonotonicUs();
    auto result = ForwardingSessions::RunIn(id, context, request, sink, cancel_fd, cancel_on_hang_up);
    if (result && engine_.logger_.Takes(LevelOf(*result)))
      engine_.Tell("a step has ended", id, request, *result, MonotonicUs() - begin_us);
    return result;
  }
  Expected<void> Close(const std::string& id) override {
    auto closed = ForwardingSessions::Close(id);
    if (closed) engine_.logger_.Log(LogLevel::kDebug, "a session was closed", {{"session", id}});
    return closed;
  }

 private:
  LoggedEngine& engine_;
};

LoggedEngine::LoggedEngine(Engine& engine, Logger& logger) : engine_(engine), logger_(logger) {}

LoggedEngine::~LoggedEngine() = default;

Sessions* LoggedEngine::sessions() {
  std::call_once(sessions_once_, [this] {
    if (Sessions* inner = engine_.sessions()) sessions_ = std::make_unique<LoggedSessions>(*inner, *this);
  });
  return sessions_.get();
}

ExecutionResult LoggedEngine::Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                      CancelWhen cancel_when) {
  const std::int64_t begin_us = MonotonicUs();
  ExecutionResult result = engine_.Execute(request, sink, cancel_fd, cancel_when);
  if (logger_.Takes(LevelOf(result))) Tell("a run has ended", "", request, result, MonotonicUs() - begin_us);
  return result;
}

void LoggedEngine::Tell(std::string_view what, const std::string& session, const ExecutionRequest& request,
                        const ExecutionResult& result, std::int64_t wall_us) {
  const Origin& origin = request.origin;
  // What a refusal or a failure of ours says is our own sentence; what a program raised is not.
  const bool ours = result.status == Status::kFailed || !MayHaveRun(result.status);
  logger_.Log(
      LevelOf(result), what,
      {{"id", result.id},
       {"session", session},
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
