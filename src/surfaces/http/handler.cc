#include "surfaces/http/handler.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "surfaces/http/event_lines.h"
#include "surfaces/http/session_routes.h"

namespace casemate::http {
namespace {

// Counts itself for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<int>& count_;
};

void WritePool(JsonWriter& writer, const PoolStatus& pool) {
  writer.BeginObject();
  writer.Field("environment", pool.environment);
  writer.Key("modules");
  writer.BeginObject();
  for (const auto& [name, why_not] : pool.modules) writer.Field(name, why_not.empty() ? "warm" : why_not);
  writer.EndObject();
  writer.Field("cells_ready", pool.cells_ready);
  writer.Field("cells_running", pool.cells_running);
  writer.Field("cells_max", pool.cells_max);
  writer.Field("taken", pool.taken);
  writer.Field("forked_on_demand", pool.forked_on_demand);
  writer.Key("cold");
  writer.BeginObject();
  for (const auto& [why, count] : pool.cold) writer.Field(why, count);
  writer.EndObject();
  if (!pool.error.empty()) writer.Field("error", pool.error);
  writer.EndObject();
}

}  // namespace

Answer ErrorAnswer(int status, std::string_view code, std::string_view message) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("error");
  writer.BeginObject();
  writer.Field("code", code);
  writer.Field("message", message);
  writer.EndObject();
  writer.EndObject();
  Answer answer;
  answer.status = status;
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

Handler::Handler(Engine& engine, std::string version, std::function<std::string()> metrics)
    : engine_(engine),
      version_(std::move(version)),
      metrics_(std::move(metrics)),
      started_us_(MonotonicUs()) {}

void Handler::Handle(const Request& request, Reply& reply) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (IsSessionPath(path)) {
    const Counted counted(running_);
    if (draining_)
      return reply.Send(ProblemAnswer(503, "unavailable", "this engine is about to end; try again soon"));
    return HandleSession(engine_.sessions(), request, reply);
  }
  const bool run = path == "/v1/run";
  const bool metrics = metrics_ && path == "/metrics";
  if (!run && !metrics && path != "/v1/health") {
    return reply.Send(
        ErrorAnswer(404, "not_found", "there is nothing here; known are POST /v1/run and GET /v1/health"));
  }
  const std::string_view allowed = run ? "POST" : "GET";
  if (request.method != allowed) {
    Answer answer = ErrorAnswer(405, "method_not_allowed", run ? "use POST" : "use GET");
    answer.allow = allowed;
    return reply.Send(answer);
  }
  if (run) return Run(request, reply);
  if (metrics) {
    Answer answer;
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = metrics_();
    return reply.Send(answer);
  }
  Health(reply);
}

void Handler::Run(const Request& request, Reply& reply) {
  const Counted counted(running_);
  if (draining_) {
    return reply.Send(ErrorAnswer(503, "unavailable", "this engine is about to end; try again soon"));
  }
  auto decoded = DecodeRequest(request.body);
  if (!decoded) {
    return reply.Send(ErrorAnswer(400, ErrorCodeName(decoded.error().code), decoded.error().ToString()));
  }
  decoded->origin.surface = "http";
  decoded->origin.caller = request.caller;
  decoded->origin.trace_parent = request.trace_parent;
  if (request.accept.find(kEventsType) != std::string_view::npos) {
    reply.BeginStream(kEventsType);
    EventLines lines(reply);
    engine_.Execute(*decoded, &lines, reply.hang_up_fd(), CancelWhen::kHungUp);
    return reply.EndStream();
  }
  const ExecutionResult result = engine_.Execute(*decoded, nullptr, reply.hang_up_fd(), CancelWhen::kHungUp);
  Answer answer;
  answer.body = EncodeResult(result);
  answer.body += '\n';
  reply.Send(answer);
}

void Handler::Health(Reply& reply) const {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("status", draining_ ? "draining" : "ok");
  writer.Field("version", version_);
  writer.Field("pid", ::getpid());
  writer.Field("uptime_ms", (MonotonicUs() - started_us_) / 1000);
  writer.Field("running", running_.load());
  writer.Key("pools");
  writer.BeginArray();
  for (const PoolStatus& pool : engine_.Pools()) WritePool(writer, pool);
  writer.EndArray();
  writer.EndObject();
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  reply.Send(answer);
}

}  // namespace casemate::http
