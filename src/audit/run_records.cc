#include "audit/run_records.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "audit/record.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "model/json_writer.h"
#include "model/trace_parent.h"

namespace casemate::audit {
namespace {

// The writer makes U+FFFD of a character that was cut in two.
std::string_view Cut(std::string_view text) { return text.substr(0, kTextBytesMax); }

JsonWriter Start(std::string_view kind, const std::string& id) {
  JsonWriter writer;
  constexpr std::size_t kUsualBytes = 4096;
  writer.Reserve(kUsualBytes);
  writer.BeginObject();
  writer.Field("kind", kind);
  writer.Field("time", FormatTime(WallUs()));
  writer.Field("id", id);
  return writer;
}

void WriteDigest(JsonWriter& writer, std::string_view name, const Digest& digest) {
  writer.Key(name);
  writer.BeginObject();
  writer.Field("sha256", digest.sha256);
  writer.Field("bytes", digest.bytes);
  writer.EndObject();
}

void WriteDigest(JsonWriter& writer, std::string_view name, const std::optional<std::string>& data) {
  if (data) WriteDigest(writer, name, DigestOf(*data));
}

// Writes the first kListMax, and how many there are when that is more.
template <typename List, typename Write>
void WriteList(JsonWriter& writer, const std::string& name, const List& list, const Write& write) {
  if (list.empty()) return;
  writer.Key(name);
  writer.BeginArray();
  std::size_t count = 0;
  for (const auto& entry : list) {
    if (count++ == kListMax) break;
    write(entry);
  }
  writer.EndArray();
  if (list.size() > kListMax) writer.Field(name + "_count", list.size());
}

// A state belongs to a parent, and is a list that only its own systems read.
void WriteTrace(JsonWriter& writer, const Origin& origin) {
  if (!IsTraceParent(origin.trace_parent)) return;
  writer.Field("trace_parent", origin.trace_parent);
  if (IsTraceState(origin.trace_state)) writer.Field("trace_state", origin.trace_state);
}

void WriteGiven(JsonWriter& writer, const ExecutionRequest& request) {
  WriteDigest(writer, "input", request.input_json);
  if (!request.stdin_bytes.empty()) WriteDigest(writer, "stdin", DigestOf(request.stdin_bytes));
  if (request.stdin_fd >= 0) writer.Field("stdin", "stream");
  WriteList(writer, "files", request.files, [&writer](const InputFile& file) {
    writer.BeginObject();
    writer.Field("name", Cut(file.name));
    const Digest digest = DigestOf(file.bytes);
    writer.Field("sha256", digest.sha256);
    writer.Field("bytes", digest.bytes);
    writer.EndObject();
  });
  if (request.workspace) {
    writer.Key("workspace");
    writer.BeginObject();
    writer.Field("path", Cut(request.workspace->host_path));
    writer.Field("mode", WorkspaceModeName(request.workspace->mode));
    writer.EndObject();
  }
  WriteList(writer, "mounts", request.mounts, [&writer](const HostMount& mount) {
    writer.BeginObject();
    writer.Field("path", Cut(mount.host_path));
    writer.Field("inside", Cut(mount.inside_path));
    writer.Field("writable", mount.writable);
    writer.EndObject();
  });
  WriteList(writer, "env_names", request.env,
            [&writer](const auto& entry) { writer.String(Cut(entry.first)); });
  WriteList(writer, "secrets", request.secrets, [&writer](const SecretRequest& secret) {
    writer.BeginObject();
    writer.Field("name", Cut(secret.name));
    WriteList(writer, "references", secret.references,
              [&writer](const std::string& reference) { writer.String(Cut(reference)); });
    WriteList(writer, "hosts", secret.hosts,
              [&writer](const std::string& host) { writer.String(Cut(host)); });
    writer.EndObject();
  });
}

void WritePolicy(JsonWriter& writer, const RunIntent& intent) {
  const ExecutionRequest& request = *intent.request;
  writer.Key("policy");
  writer.BeginObject();
  writer.Field("name", Cut(request.policy));
  if (!intent.policy_sha256.empty()) writer.Field("sha256", intent.policy_sha256);
  writer.EndObject();
  if (!request.limits.empty()) {
    writer.Key("limits");
    writer.BeginObject();
    std::size_t count = 0;
    for (const auto& [name, value] : request.limits) {
      if (count++ < kListMax) writer.Field(Cut(name), value);
    }
    writer.EndObject();
  }
  writer.Key("environment");
  writer.BeginObject();
  writer.Field("name", Cut(request.environment));
  if (!intent.environment_sha256.empty()) writer.Field("sha256", intent.environment_sha256);
  writer.EndObject();
}

void WriteIsolation(JsonWriter& writer, const EnforcementReport& report) {
  writer.Key("isolation");
  writer.BeginObject();
  writer.Field("tier", TierName(report.tier));
  writer.Key("enforced");
  writer.BeginObject();
  for (const Enforced& entry : report.enforced) writer.Field(entry.guarantee, Cut(entry.mechanism));
  writer.EndObject();
  if (!report.not_enforced.empty()) {
    writer.Key("not_enforced");
    writer.BeginObject();
    for (const NotEnforced& entry : report.not_enforced) writer.Field(entry.guarantee, Cut(entry.reason));
    writer.EndObject();
  }
  writer.EndObject();
}

void WriteUsage(JsonWriter& writer, const Usage& usage) {
  writer.Key("usage");
  writer.BeginObject();
  writer.Field("wall_ms", usage.wall_ms);
  writer.Field("cpu_ms", usage.cpu_ms);
  writer.Field("memory_peak_bytes", usage.memory_peak_bytes);
  writer.Field("processes_peak", usage.processes_peak);
  writer.Field("tmp_peak_bytes", usage.tmp_peak_bytes);
  writer.EndObject();
}

void WriteLeft(JsonWriter& writer, const RunOutcome& outcome) {
  const ExecutionResult& result = *outcome.result;
  WriteDigest(writer, "stdout", outcome.stdout_digest);
  WriteDigest(writer, "stderr", outcome.stderr_digest);
  if (result.result) WriteDigest(writer, "result", DigestOf(result.result->text()));
  if (!result.displays.empty()) {
    Sha256 hash;
    std::int64_t bytes = 0;
    for (const Display& display : result.displays) {
      for (const auto& [type, data] : display.data) {
        hash.Update(type);
        hash.Update(data);
        bytes += static_cast<std::int64_t>(data.size());
      }
    }
    WriteDigest(writer, "displays", Digest{hash.Hex(), bytes});
  }
  WriteList(writer, "files", result.files, [&writer](const OutputFile& file) {
    writer.BeginObject();
    writer.Field("name", Cut(file.name));
    writer.Field("bytes", file.size_bytes);
    if (!file.truncated) writer.Field("sha256", Sha256Hex(file.bytes));
    writer.EndObject();
  });
}

// Some are the harness's, and so a program's word: only what looks like a step's name is taken.
bool IsStepName(std::string_view name) {
  constexpr std::size_t kNameBytesMax = 40;
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

void WriteTimings(JsonWriter& writer, const std::vector<Timing>& timings) {
  std::vector<std::pair<std::string_view, std::int64_t>> steps;
  for (const Timing& timing : timings) {
    if (!IsStepName(timing.step)) continue;
    const auto same =
        std::ranges::find(steps, timing.step, &std::pair<std::string_view, std::int64_t>::first);
    if (same != steps.end()) {
      same->second += timing.microseconds;
    } else if (steps.size() < kListMax) {
      steps.emplace_back(timing.step, timing.microseconds);
    }
  }
  writer.Key("timings_us");
  writer.BeginObject();
  for (const auto& [name, microseconds] : steps) writer.Field(name, microseconds);
  writer.EndObject();
}

}  // namespace

Digest DigestOf(std::string_view bytes) {
  return {Sha256Hex(bytes), static_cast<std::int64_t>(bytes.size())};
}

std::string EncodeIntent(const RunIntent& intent) {
  const ExecutionRequest& request = *intent.request;
  JsonWriter writer = Start("intent", intent.id);
  writer.Field("caller", Cut(intent.caller));
  writer.Field("surface", Cut(request.origin.surface));
  if (!request.origin.session.empty()) writer.Field("session", Cut(request.origin.session));
  WriteTrace(writer, request.origin);
  writer.Field("language", Cut(request.command.empty() ? std::string_view(request.language) : "command"));
  WriteDigest(writer, "code", intent.code);
  if (intent.keep_until_us) writer.Field("keep_until", FormatTime(*intent.keep_until_us));
  if (intent.seed) writer.Field("seed", *intent.seed);
  if (intent.kept) {
    writer.Key("program");
    writer.Raw(intent.kept->request());
    // It is no longer the program that ran.
    if (intent.kept_redacted) writer.Field("program_redacted", true);
  }
  if (!intent.not_kept.empty()) writer.Field("program_not_kept", Cut(intent.not_kept));
  if (!request.args.empty()) writer.Field("args_count", request.args.size());
  WriteGiven(writer, request);
  WritePolicy(writer, intent);
  if (request.isolation) writer.Field("isolation_asked", TierName(*request.isolation));
  if (!request.runtime.empty()) writer.Field("runtime_asked", Cut(request.runtime));
  if (request.require) writer.Field("isolation_required", TierName(*request.require));
  if (intent.isolation != nullptr) WriteIsolation(writer, *intent.isolation);
  return std::move(writer).Take();
}

std::string EncodeOutcome(const RunOutcome& outcome) {
  const ExecutionResult& result = *outcome.result;
  JsonWriter writer = Start("outcome", result.id);
  if (outcome.origin != nullptr) {
    const Origin& origin = *outcome.origin;
    writer.Field("surface", Cut(origin.surface));
    if (!origin.session.empty()) writer.Field("session", Cut(origin.session));
    WriteTrace(writer, origin);
  }
  writer.Field("status", StatusName(result.status));
  writer.Field("exit_code", result.exit_code);
  writer.Field("signal", result.signal);
  // Its type alone: a message is the program's own text.
  if (result.error) writer.Field("error_type", Cut(result.error->type));
  WriteLeft(writer, outcome);
  WriteList(writer, "denials", result.denials, [&writer](const Denial& denial) {
    writer.BeginObject();
    writer.Field("kind", Cut(denial.kind));
    writer.Field("what", Cut(denial.what));
    writer.Field("count", denial.count);
    writer.EndObject();
  });
  WriteList(writer, "redactions", result.redactions, [&writer](const Redaction& redaction) {
    writer.BeginObject();
    writer.Field("rule", Cut(redaction.rule));
    writer.Field("where", Cut(redaction.where));
    writer.Field("count", redaction.count);
    writer.EndObject();
  });
  WriteList(writer, "network", result.network, [&writer](const NetworkAttempt& attempt) {
    writer.BeginObject();
    writer.Field("destination", Cut(attempt.destination));
    if (!attempt.address.empty()) writer.Field("address", Cut(attempt.address));
    writer.Field("allowed", attempt.allowed);
    if (!attempt.reason.empty()) writer.Field("reason", Cut(attempt.reason));
    writer.Field("count", attempt.count);
    writer.Field("bytes_sent", attempt.bytes_sent);
    writer.Field("bytes_received", attempt.bytes_received);
    writer.EndObject();
  });
  WriteUsage(writer, result.usage);
  WriteTimings(writer, result.timings);
  return std::move(writer).Take();
}

}  // namespace casemate::audit
