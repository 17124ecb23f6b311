#include "ship/otlp_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate::ship {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;
// opentelemetry-proto's numbers: SeverityNumber, SpanKind, StatusCode.
constexpr int kSeverityInfo = 9;
constexpr int kSeverityWarn = 13;
constexpr int kSpanInternal = 1;
constexpr int kSpanServer = 2;
constexpr int kStatusOk = 1;
constexpr int kStatusError = 2;

struct TraceContext {
  std::string trace_id;
  std::string parent_id;  // "" for a run that nobody traces but us
  std::string span_id;
  bool sampled = true;
};

// "00-TRACE-PARENT-FLAGS" as the log has checked it; without one the ids are the run's own.
TraceContext ContextOf(const Record& record) {
  const std::string id(record.Text("id"));
  TraceContext context{Sha256Hex("trace " + id).substr(0, kTraceDigits), "",
                       Sha256Hex("span " + id).substr(0, kSpanDigits), true};
  const std::string_view parent = record.Text("trace_parent");
  constexpr std::size_t kSize = 55;
  if (parent.size() != kSize) return context;
  const std::string_view trace_id = parent.substr(3, kTraceDigits);
  const std::string_view parent_id = parent.substr(36, kSpanDigits);
  // W3C Trace Context: ids of zeros alone are none.
  if (trace_id.find_first_not_of('0') == trace_id.npos ||
      parent_id.find_first_not_of('0') == parent_id.npos) {
    return context;
  }
  context.trace_id = trace_id;
  context.parent_id = parent_id;
  context.sampled = ((parent.back() >= 'a' ? parent.back() - 'a' + 10 : parent.back() - '0') & 1) != 0;
  return context;
}

class OtlpWriter {
 public:
  // Up to the list of what is sent.
  OtlpWriter(std::string_view host, const char* resources, const char* scopes, const char* items) {
    json_.BeginObject();
    List(resources);
    json_.BeginObject();
    json_.Key("resource");
    json_.BeginObject();
    List("attributes");
    Attribute("service.name", "casemate");
    Attribute("host.name", host);
    json_.EndArray();
    json_.EndObject();
    List(scopes);
    json_.BeginObject();
    json_.Key("scope");
    json_.BeginObject();
    json_.Field("name", "casemate.audit");
    json_.EndObject();
    List(items);
  }
  std::string Take() && {
    json_.EndArray();
    json_.EndObject();
    json_.EndArray();
    json_.EndObject();
    json_.EndArray();
    json_.EndObject();
    return std::move(json_).Take();
  }

  JsonWriter& json() { return json_; }
  void List(const char* name) {
    json_.Key(name);
    json_.BeginArray();
  }
  void Attribute(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    Begin(key, "stringValue");
    json_.String(value);
    End();
  }
  void Number(std::string_view key, std::int64_t value) {
    Begin(key, "intValue");
    json_.String(fmt::format("{}", value));
    End();
  }
  void Nanoseconds(const char* name, std::int64_t time_us) {
    json_.Field(name, fmt::format("{}", time_us * 1000));
  }

 private:
  void Begin(std::string_view key, const char* type) {
    json_.BeginObject();
    json_.Field("key", key);
    json_.Key("value");
    json_.BeginObject();
    json_.Key(type);
  }
  void End() {
    json_.EndObject();
    json_.EndObject();
  }

  JsonWriter json_;
};

void WriteLog(OtlpWriter& out, const Record& record) {
  JsonWriter& json = out.json();
  json.BeginObject();
  out.Nanoseconds("timeUnixNano", record.time_us);
  out.Nanoseconds("observedTimeUnixNano", record.time_us);
  json.Field("severityNumber", record.is_warning() ? kSeverityWarn : kSeverityInfo);
  json.Field("severityText", record.is_warning() ? "WARN" : "INFO");
  json.Key("body");
  json.BeginObject();
  json.Field("stringValue", record.line);
  json.EndObject();
  out.List("attributes");
  out.Attribute("casemate.kind", record.Text("kind"));
  out.Attribute("casemate.run.id", record.Text("id"));
  out.Attribute("casemate.status", record.Text("status"));
  out.Attribute("casemate.caller", record.Text("caller"));
  out.Attribute("casemate.surface", record.Text("surface"));
  out.Number("casemate.seq", record.seq);
  out.Attribute("casemate.hash", record.Text("hash"));
  json.EndArray();
  if (!record.Text("id").empty()) {
    const TraceContext context = ContextOf(record);
    json.Field("traceId", context.trace_id);
    json.Field("spanId", context.span_id);
  }
  json.EndObject();
}

struct Step {
  std::string_view name;
  std::int64_t us;
};

struct Steps {
  std::vector<Step> own;     // one behind the other
  std::vector<Step> inside;  // of "run"
  std::int64_t total_us = 0;
};

// Longer ones are no steps of ours, and would overflow sums.
constexpr std::int64_t kStepUsMax = std::int64_t{1} << 45;

Steps StepsOf(const Record& record) {
  Steps steps;
  const auto* timings = record.fields.if_contains("timings_us");
  if (timings == nullptr || !timings->is_object()) return steps;
  for (const auto& [name, value] : timings->get_object()) {
    const std::int64_t us = value.is_int64() ? std::clamp<std::int64_t>(value.get_int64(), 0, kStepUsMax) : 0;
    (name.find('.') == name.npos ? steps.own : steps.inside).push_back({name, us});
    if (name.find('.') == name.npos) steps.total_us += us;
  }
  return steps;
}

class SpanWriter {
 public:
  SpanWriter(OtlpWriter& out, const Record& record)
      : out_(out), record_(record), context_(ContextOf(record)) {}

  bool sampled() const { return context_.sampled; }

  void Write() {
    const Steps steps = StepsOf(record_);
    const std::int64_t begin_us = record_.time_us - steps.total_us;
    WriteRun(begin_us);
    std::int64_t at_us = begin_us;
    for (const Step& step : steps.own) {
      WriteStep(step.name, context_.span_id, at_us, at_us + step.us);
      if (step.name == "run") WriteInside(steps.inside, at_us, at_us + step.us);
      at_us += step.us;
    }
  }

 private:
  std::string StepId(std::string_view name) const {
    return Sha256Hex(fmt::format("step {} {}", record_.Text("id"), name)).substr(0, kSpanDigits);
  }

  void Begin(std::string_view name, std::string_view id, std::string_view parent, int kind,
             std::int64_t from_us, std::int64_t to_us) {
    JsonWriter& json = out_.json();
    json.BeginObject();
    json.Field("traceId", context_.trace_id);
    json.Field("spanId", id);
    if (!parent.empty()) json.Field("parentSpanId", parent);
    if (const std::string_view state = record_.Text("trace_state"); !parent.empty() && !state.empty())
      json.Field("traceState", state);
    json.Field("name", name);
    json.Field("kind", kind);
    out_.Nanoseconds("startTimeUnixNano", from_us);
    out_.Nanoseconds("endTimeUnixNano", to_us);
  }

  void WriteRun(std::int64_t begin_us) {
    const std::string_view status = record_.Text("status");
    Begin("casemate.run", context_.span_id, context_.parent_id,
          context_.parent_id.empty() ? kSpanInternal : kSpanServer, begin_us, record_.time_us);
    JsonWriter& json = out_.json();
    out_.List("attributes");
    out_.Attribute("casemate.run.id", record_.Text("id"));
    out_.Attribute("casemate.status", status);
    out_.Attribute("casemate.surface", record_.Text("surface"));
    out_.Attribute("casemate.session", record_.Text("session"));
    out_.Attribute("error.type", record_.Text("error_type"));
    if (const auto code = FindInt(record_.fields, "exit_code")) out_.Number("process.exit_code", *code);
    if (const auto* denials = record_.fields.if_contains("denials");
        denials != nullptr && denials->is_array())
      out_.Number("casemate.denials", static_cast<std::int64_t>(denials->get_array().size()));
    json.EndArray();
    json.Key("status");
    json.BeginObject();
    json.Field("code", status == "ok" ? kStatusOk : kStatusError);
    if (status != "ok") json.Field("message", status);
    json.EndObject();
    json.EndObject();
  }

  void WriteStep(std::string_view name, std::string_view parent, std::int64_t from_us, std::int64_t to_us) {
    Begin(name, StepId(name), parent, kSpanInternal, from_us, to_us);
    out_.json().EndObject();
  }

  void WriteInside(const std::vector<Step>& inside, std::int64_t from_us, std::int64_t to_us) {
    std::int64_t total_us = 0;
    for (const Step& step : inside) total_us += step.us;
    std::int64_t at_us = std::max(from_us, to_us - total_us);
    const std::string parent = StepId("run");
    for (const Step& step : inside) {
      const std::int64_t end_us = std::min(at_us + step.us, to_us);
      WriteStep(step.name, parent, at_us, end_us);
      at_us = end_us;
    }
  }

  OtlpWriter& out_;
  const Record& record_;
  const TraceContext context_;
};

}  // namespace

std::string EncodeLogs(std::span<const Record> records, std::string_view host) {
  OtlpWriter out(host, "resourceLogs", "scopeLogs", "logRecords");
  for (const Record& record : records) WriteLog(out, record);
  return std::move(out).Take();
}

std::string EncodeSpans(std::span<const Record> records, std::string_view host) {
  OtlpWriter out(host, "resourceSpans", "scopeSpans", "spans");
  bool any = false;
  for (const Record& record : records) {
    if (!record.is_outcome()) continue;
    SpanWriter span(out, record);
    if (!span.sampled()) continue;
    span.Write();
    any = true;
  }
  return any ? std::move(out).Take() : "";
}

PartialSuccess ReadPartialSuccess(std::string_view body) {
  PartialSuccess partial;
  constexpr std::size_t kAnswerBytesMax = 1 << 20;
  const auto value = ParseBoundedValue(body, {.bytes_max = kAnswerBytesMax});
  if (!value || !value->is_object()) return partial;
  const auto* part = value->get_object().if_contains("partialSuccess");
  if (part == nullptr || !part->is_object()) return partial;
  const boost::json::object& told = part->get_object();
  for (const char* name : {"rejectedLogRecords", "rejectedSpans"}) {
    // A 64-bit number may come as a text.
    std::int64_t count = FindInt(told, name).value_or(0);
    if (const auto* text = FindString(told, name)) {
      std::from_chars(text->data(), text->data() + text->size(), count);
    }
    if (count > 0) partial.rejected = count;
  }
  if (const auto* message = FindString(told, "errorMessage")) partial.message = std::string_view(*message);
  return partial;
}

}  // namespace casemate::ship
