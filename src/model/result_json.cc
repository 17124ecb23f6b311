#include "model/result_json.h"

#include "model/base64.h"

namespace casemate {
namespace {

void WriteTruncated(JsonWriter& writer, const Truncated& truncated) {
  writer.BeginObject();
  writer.Field("stdout", truncated.stdout_cut);
  writer.Field("stderr", truncated.stderr_cut);
  writer.Field("displays", truncated.displays_cut);
  writer.Field("files", truncated.files_cut);
  writer.EndObject();
}

void WriteDisplays(JsonWriter& writer, const std::vector<Display>& displays) {
  writer.BeginArray();
  for (const Display& display : displays) WriteDisplay(writer, display);
  writer.EndArray();
}

void WriteFiles(JsonWriter& writer, const std::vector<OutputFile>& files) {
  writer.BeginArray();
  for (const OutputFile& file : files) {
    writer.BeginObject();
    writer.Field("name", file.name);
    writer.Field("size_bytes", file.size_bytes);
    writer.Field("content_base64", EncodeBase64(file.bytes));
    writer.Field("truncated", file.truncated);
    writer.EndObject();
  }
  writer.EndArray();
}

// Absent where there was none to ask for.
void WriteNetwork(JsonWriter& writer, const std::vector<NetworkAttempt>& attempts) {
  if (attempts.empty()) return;
  writer.Key("network");
  writer.BeginArray();
  for (const NetworkAttempt& attempt : attempts) {
    writer.BeginObject();
    writer.Field("destination", attempt.destination);
    writer.Field("address", attempt.address);
    writer.Field("allowed", attempt.allowed);
    writer.Field("reason", attempt.reason);
    writer.Field("count", attempt.count);
    writer.Field("bytes_sent", attempt.bytes_sent);
    writer.Field("bytes_received", attempt.bytes_received);
    writer.EndObject();
  }
  writer.EndArray();
}

void WriteDenials(JsonWriter& writer, const std::vector<Denial>& denials) {
  writer.BeginArray();
  for (const Denial& denial : denials) WriteDenial(writer, denial);
  writer.EndArray();
}

void WriteRedactions(JsonWriter& writer, const std::vector<Redaction>& redactions) {
  writer.BeginArray();
  for (const Redaction& redaction : redactions) {
    writer.BeginObject();
    writer.Field("rule", redaction.rule);
    writer.Field("where", redaction.where);
    writer.Field("count", redaction.count);
    writer.Field("offset", redaction.offset);
    writer.EndObject();
  }
  writer.EndArray();
}

void WriteUsage(JsonWriter& writer, const Usage& usage) {
  writer.BeginObject();
  writer.Field("wall_ms", usage.wall_ms);
  writer.Field("cpu_ms", usage.cpu_ms);
  writer.Field("memory_peak_bytes", usage.memory_peak_bytes);
  writer.Field("processes_peak", usage.processes_peak);
  writer.Field("tmp_peak_bytes", usage.tmp_peak_bytes);
  writer.Field("stdout_bytes", usage.stdout_bytes);
  writer.Field("stderr_bytes", usage.stderr_bytes);
  writer.EndObject();
}

void WriteTimings(JsonWriter& writer, const std::vector<Timing>& timings) {
  writer.BeginArray();
  for (const Timing& timing : timings) {
    writer.BeginObject();
    writer.Field("step", timing.step);
    writer.Field("microseconds", timing.microseconds);
    writer.EndObject();
  }
  writer.EndArray();
}

}  // namespace

void WriteDisplay(JsonWriter& writer, const Display& display) {
  writer.BeginObject();
  for (const auto& [mime, data] : display.data) writer.Field(mime, data);
  writer.EndObject();
}

void WriteError(JsonWriter& writer, const ProgramError& error) {
  writer.BeginObject();
  writer.Field("type", error.type);
  writer.Field("message", error.message);
  writer.Field("traceback", error.traceback);
  writer.Field("hint", error.hint);
  writer.EndObject();
}

void WriteDenial(JsonWriter& writer, const Denial& denial) {
  writer.BeginObject();
  writer.Field("kind", denial.kind);
  writer.Field("what", denial.what);
  writer.Field("count", denial.count);
  writer.Field("remedy", denial.remedy);
  writer.EndObject();
}

void WriteFinding(JsonWriter& writer, const Finding& finding) {
  writer.BeginObject();
  writer.Field("rule", finding.rule);
  writer.Field("severity", SeverityName(finding.severity));
  writer.Field("line", finding.line);
  writer.Field("column", finding.column);
  writer.Field("snippet", finding.snippet);
  writer.Field("reason", finding.reason);
  writer.Field("remedy", finding.remedy);
  writer.EndObject();
}

void WriteComplexity(JsonWriter& writer, const Complexity& complexity) {
  writer.BeginObject();
  writer.Field("name", complexity.name);
  writer.Field("line", complexity.line);
  writer.Field("cyclomatic", complexity.cyclomatic);
  writer.Field("nesting", complexity.nesting);
  writer.Field("loops", complexity.loops);
  writer.Field("loop_depth", complexity.loop_depth);
  writer.Field("calls", complexity.calls);
  writer.Field("functions", complexity.functions);
  writer.Field("lines", complexity.lines);
  writer.EndObject();
}

void WriteEnforcement(JsonWriter& writer, const EnforcementReport& report) {
  writer.BeginObject();
  writer.Field("tier", TierName(report.tier));
  writer.Key("enforced");
  writer.BeginArray();
  for (const Enforced& enforced : report.enforced) {
    writer.BeginObject();
    writer.Field("guarantee", enforced.guarantee);
    writer.Field("mechanism", enforced.mechanism);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("not_enforced");
  writer.BeginArray();
  for (const NotEnforced& missing : report.not_enforced) {
    writer.BeginObject();
    writer.Field("guarantee", missing.guarantee);
    writer.Field("reason", missing.reason);
    writer.Field("fallback", missing.fallback);
    writer.Field("remedy", missing.remedy);
    writer.EndObject();
  }
  writer.EndArray();
  writer.Key("passed_over");
  writer.BeginArray();
  for (const PassedOver& stronger : report.passed_over) {
    writer.BeginObject();
    writer.Field("tier", TierName(stronger.tier));
    writer.Field("reason", stronger.reason);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
}

std::string EncodeEnforcement(const EnforcementReport& report) {
  JsonWriter writer;
  WriteEnforcement(writer, report);
  return std::move(writer).Take();
}

void WriteSession(JsonWriter& writer, const SessionNote& session) {
  writer.Key("session");
  writer.BeginObject();
  writer.Field("id", session.id);
  writer.Field("step", session.step);
  writer.Field("state", session.ended_because.empty() ? "idle" : "ended");
  if (!session.ended_because.empty()) writer.Field("ended_because", session.ended_because);
  writer.EndObject();
}

void WriteResult(JsonWriter& writer, const ExecutionResult& result) {
  writer.BeginObject();
  writer.Field("id", result.id);
  writer.Field("status", StatusName(result.status));
  writer.Field("exit_code", result.exit_code);
  writer.Field("signal", result.signal);
  writer.Field("stdout", result.stdout_text);
  writer.Field("stderr", result.stderr_text);
  writer.Key("truncated");
  WriteTruncated(writer, result.truncated);
  writer.Key("result");
  if (result.result) {
    writer.Raw(*result.result);
  } else {
    writer.Null();
  }
  writer.Key("displays");
  WriteDisplays(writer, result.displays);
  writer.Key("files");
  WriteFiles(writer, result.files);
  writer.Key("error");
  if (result.error) {
    WriteError(writer, *result.error);
  } else {
    writer.Null();
  }
  writer.Key("denials");
  WriteDenials(writer, result.denials);
  WriteNetwork(writer, result.network);
  writer.Key("redactions");
  WriteRedactions(writer, result.redactions);
  writer.Field("checks", ChecksModeName(result.checks));
  writer.Key("findings");
  writer.BeginArray();
  for (const Finding& finding : result.findings) WriteFinding(writer, finding);
  writer.EndArray();
  writer.Key("usage");
  WriteUsage(writer, result.usage);
  writer.Key("timings");
  WriteTimings(writer, result.timings);
  writer.Key("isolation");
  WriteEnforcement(writer, result.isolation);
  writer.Field("policy", result.policy);
  writer.Field("environment", result.environment);
  writer.Field("code_sha256", result.code_sha256);
  if (result.session) WriteSession(writer, *result.session);
  writer.EndObject();
}

std::string EncodeResult(const ExecutionResult& result) {
  JsonWriter writer;
  // The longest that the streams can become, \u0000 for each byte: room that is not touched costs nothing,
  // but growing by copying holds the text twice.
  writer.Reserve(6 * (result.stdout_text.size() + result.stderr_text.size()) + 65536);
  WriteResult(writer, result);
  return std::move(writer).Take();
}

}  // namespace casemate
