#include "surfaces/http/info_routes.h"

#include <unistd.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "model/json_writer.h"

namespace casemate::embedded {
std::string_view HttpApi(std::string_view path);
}  // namespace casemate::embedded

namespace casemate::http {
namespace {

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

Answer Health(const InfoSources& sources, std::int64_t started_us) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("status", sources.runs.draining() ? "draining" : "ok");
  writer.Field("version", sources.version);
  writer.Field("pid", ::getpid());
  writer.Field("uptime_ms", (MonotonicUs() - started_us) / 1000);
  writer.Field("running", sources.runs.running());
  writer.Key("pools");
  writer.BeginArray();
  for (const PoolStatus& pool : sources.engine.Pools()) WritePool(writer, pool);
  writer.EndArray();
  writer.EndObject();
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

Answer Status(std::string_view status) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("status", status);
  writer.EndObject();
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  return answer;
}

}  // namespace

std::string_view OpenApiText() { return embedded::HttpApi("src/surfaces/http/openapi.json"); }

std::vector<Route> InfoRoutes(InfoSources given) {
  const auto sources = std::make_shared<const InfoSources>(std::move(given));
  std::vector<Route> routes = {
      {"GET", "/healthz", Scope::kNone, [](const Request&, Reply& reply) { reply.Send(Status("ok")); }},
      {"GET", "/readyz", Scope::kNone,
       [sources](const Request&, Reply& reply) {
         if (!sources->runs.draining()) return reply.Send(Status("ready"));
         reply.AddField("Retry-After", "1");
         reply.Send(ErrorAnswer(503, "unavailable", "this engine is about to end: ask another"));
       }},
      {"GET", "/v1/health", Scope::kMetrics,
       [sources, started_us = MonotonicUs()](const Request&, Reply& reply) {
         reply.Send(Health(*sources, started_us));
       }},
      {"GET", "/openapi.json", Scope::kNone,
       [](const Request&, Reply& reply) {
         Answer answer;
         answer.body = OpenApiText();
         reply.Send(answer);
       }},
  };
  if (sources->metrics) {
    routes.push_back({"GET", "/metrics", Scope::kMetrics, [sources](const Request&, Reply& reply) {
                        Answer answer;
                        answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
                        answer.body = sources->metrics();
                        reply.Send(answer);
                      }});
  }
  return routes;
}

}  // namespace casemate::http
