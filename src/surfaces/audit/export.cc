#include "surfaces/audit/export.h"

#include <fmt/format.h>

#include "audit/export_record.h"
#include "audit/record.h"
#include "model/json_value.h"
#include "model/json_writer.h"

namespace casemate {
namespace {

std::optional<boost::json::object> Read(std::string_view record) {
  auto value = ParseBoundedValue(record, {.bytes_max = audit::kRecordBytesMax});
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

std::string Text(const boost::json::object& object, std::string_view key) {
  const auto* text = FindString(object, key);
  return text != nullptr ? std::string(std::string_view(*text)) : "";
}

std::string Cell(std::string_view text) {
  std::string cell(text);
  if (!cell.empty() && std::string_view("=+-@\t\r").find(cell[0]) != std::string_view::npos)
    cell.insert(0, "'");
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// OCSF's severity_id: 1 informational, 3 medium.
constexpr int kInformational = 1;
constexpr int kMedium = 3;
// OCSF's class Process Activity, its category and activities; type_uid is class_uid * 100 + activity_id.
constexpr int kSystemActivity = 1;
constexpr int kProcessActivity = 1007;
constexpr int kLaunch = 1;
constexpr int kTerminate = 2;

}  // namespace

std::optional<std::string> ExportOcsf(std::string_view record) {
  const auto object = Read(record);
  if (!object) return std::nullopt;
  const bool launch = Text(*object, "kind") == "intent";
  const int activity = launch ? kLaunch : kTerminate;
  const std::string status = Text(*object, "status");
  const bool ok = launch || status == "ok";
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("class_uid", kProcessActivity);
  writer.Field("class_name", "Process Activity");
  writer.Field("category_uid", kSystemActivity);
  writer.Field("activity_id", activity);
  writer.Field("activity_name", launch ? "Launch" : "Terminate");
  writer.Field("type_uid", kProcessActivity * 100 + activity);
  writer.Field("time", audit::ParseTime(Text(*object, "time")).value_or(0) / 1000);
  writer.Field("severity_id", ok ? kInformational : kMedium);
  writer.Field("status_id", ok ? 1 : 2);
  if (!status.empty()) writer.Field("status_detail", status);
  writer.Key("metadata");
  writer.BeginObject();
  writer.Field("version", "1.3.0");
  writer.Field("uid", fmt::format("{}:{}", FindInt(*object, "seq").value_or(0), Text(*object, "hash")));
  writer.Key("product");
  writer.BeginObject();
  writer.Field("name", "Casemate");
  writer.Field("vendor_name", "Casemate");
  writer.EndObject();
  writer.EndObject();
  if (const std::string caller = Text(*object, "caller"); !caller.empty()) {
    writer.Key("actor");
    writer.BeginObject();
    writer.Key("user");
    writer.BeginObject();
    writer.Field("name", caller);
    writer.EndObject();
    writer.EndObject();
  }
  writer.Key("process");
  writer.BeginObject();
  writer.Field("uid", Text(*object, "id"));
  writer.EndObject();
  if (const auto code = FindInt(*object, "exit_code")) writer.Field("exit_code", *code);
  // All else of the record, without what was kept of the program.
  const auto rest =
      ParseJson(audit::ExportRecord(record).value_or("{}"), {.bytes_max = audit::kRecordBytesMax});
  if (rest) {
    writer.Key("unmapped");
    writer.Raw(*rest);
  }
  writer.EndObject();
  return std::move(writer).Take();
}

std::string CsvHead() {
  return "started,ended,id,status,caller,surface,policy,denials,code_sha256,intent_seq,outcome_seq";
}

std::string CsvLine(const AuditRun& run) {
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{}", audit::FormatTime(run.started_us),
                     run.ended_us ? audit::FormatTime(*run.ended_us) : "", Cell(run.id), Cell(run.status),
                     Cell(run.caller), Cell(run.surface), Cell(run.policy), run.denials,
                     Cell(run.code_sha256), run.intent_seq, run.outcome_seq);
}

std::string RunJson(const AuditRun& run) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("id", run.id);
  writer.Field("started", audit::FormatTime(run.started_us));
  writer.Key("ended");
  if (run.ended_us) {
    writer.String(audit::FormatTime(*run.ended_us));
  } else {
    writer.Null();
  }
  writer.Field("status", run.status);
  writer.Field("caller", run.caller);
  writer.Field("surface", run.surface);
  writer.Field("policy", run.policy);
  writer.Field("denials", run.denials);
  writer.Field("code_sha256", run.code_sha256);
  writer.Field("intent_seq", run.intent_seq);
  writer.Field("outcome_seq", run.outcome_seq);
  writer.EndObject();
  return std::move(writer).Take();
}

}  // namespace casemate
