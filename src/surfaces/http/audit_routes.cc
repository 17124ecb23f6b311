#include "surfaces/http/audit_routes.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <utility>

#include "model/json_writer.h"
#include "surfaces/http/target.h"

namespace casemate::http {
namespace {

constexpr std::int64_t kLimitDefault = 100;
constexpr std::int64_t kLimitMax = 10'000;
constexpr std::int64_t kTimeMaxUs = 253'402'300'799'000'000;  // the end of the year 9999

Expected<std::int64_t> Number(const std::string& name, const std::string& text, std::int64_t min,
                              std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} must be a whole number from {} to {}", name, min, max));
  }
  return value;
}

std::string* TextOf(AuditFilter& filter, const std::string& name) {
  if (name == "status") return &filter.status;
  if (name == "caller") return &filter.caller;
  if (name == "surface") return &filter.surface;
  if (name == "code_sha256") return &filter.code_sha256;
  if (name == "denial") return &filter.denial;
  if (name == "id") return &filter.id;
  return nullptr;
}

void WriteRun(JsonWriter& writer, const AuditRun& run) {
  writer.BeginObject();
  writer.Field("id", run.id);
  writer.Field("started_us", run.started_us);
  writer.Field("ended_us", run.ended_us);
  writer.Field("status", run.status);
  writer.Field("caller", run.caller);
  writer.Field("surface", run.surface);
  writer.Field("code_sha256", run.code_sha256);
  writer.Field("policy", run.policy);
  writer.Field("denials", run.denials);
  writer.EndObject();
}

void List(const std::string& state_dir, const Request& asked, Reply& reply) {
  const auto filter = ParseAuditQuery(asked.query);
  if (!filter) return reply.Send(ErrorAnswer(filter.error()));
  const auto log = OpenAuditLog(state_dir);
  if (!log) return reply.Send(ErrorAnswer(log.error()));
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("runs");
  writer.BeginArray();
  const auto listed = (*log)->List(*filter, [&writer](const AuditRun& run) {
    WriteRun(writer, run);
    return true;
  });
  if (!listed) return reply.Send(ErrorAnswer(listed.error()));
  writer.EndArray();
  writer.EndObject();
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  reply.Send(answer);
}

}  // namespace

Expected<AuditFilter> ParseAuditQuery(std::string_view query) {
  const auto parameters = ParseQuery(query);
  if (!parameters) return Fail(ErrorCode::kInvalidRequest, "the query has a % that is no %XX, or a NUL byte");
  AuditFilter filter;
  filter.limit = kLimitDefault;
  for (const auto& [name, value] : *parameters) {
    if (std::string* text = TextOf(filter, name)) {
      *text = value;
    } else if (name == "since_us" || name == "until_us") {
      const auto time = Number(name, value, 0, kTimeMaxUs);
      if (!time) return std::unexpected(time.error());
      (name == "since_us" ? filter.since_us : filter.until_us) = *time;
    } else if (name == "limit") {
      const auto limit = Number(name, value, 1, kLimitMax);
      if (!limit) return std::unexpected(limit.error());
      filter.limit = *limit;
    } else {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("there is no parameter \"{}\": known are since_us, until_us, status, caller, "
                              "surface, code_sha256, denial, id and limit",
                              name.substr(0, 100)));
    }
  }
  return filter;
}

std::vector<Route> AuditRoutes(std::string state_dir) {
  return {{"GET", "/v1/audit", Scope::kAudit,
           [state_dir = std::move(state_dir)](const Request& asked, Reply& reply) {
             List(state_dir, asked, reply);
           }}};
}

}  // namespace casemate::http
