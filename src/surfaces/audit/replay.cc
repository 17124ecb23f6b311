#include "surfaces/audit/replay.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <string_view>

#include "audit/record.h"
#include "base/command.h"
#include "base/state_dir.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/json_value.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "surfaces/cli/terminal.h"

namespace casemate {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::size_t kBytesMax = std::size_t{256} << 20U;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

// The text at `path` ("policy.sha256"), a JSON value in its compact form; "" when there is none.
std::string At(const object& record, std::string_view path) {
  const object* inside = &record;
  for (;;) {
    const std::size_t dot = path.find('.');
    const value* found = inside->if_contains(path.substr(0, dot));
    if (found == nullptr) return "";
    if (dot == std::string_view::npos) {
      return found->is_string() ? std::string(std::string_view(found->get_string()))
                                : boost::json::serialize(*found);
    }
    if (!found->is_object()) return "";
    inside = &found->get_object();
    path.remove_prefix(dot + 1);
  }
}

Expected<RunRecords> RecordsOf(AuditLog& log, const std::string& id) {
  AuditFilter filter;
  filter.id = id;
  RunRecords records;
  auto read = log.Records(filter, [&records](std::string_view line) {
    auto parsed = ParseBoundedValue(line, {.bytes_max = audit::kRecordBytesMax});
    if (!parsed || !parsed->is_object()) return true;
    object& record = parsed->get_object();
    const auto* kind = FindString(record, "kind");
    if (kind != nullptr && *kind == "intent") {
      records.intent = record;
      records.intent_line = line;
    }
    if (kind != nullptr && *kind == "outcome") records.outcome = std::move(record);
    return true;
  });
  if (!read) return std::unexpected(read.error());
  if (records.intent.empty()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the audit log has no run \"{}\": \"casemate audit list\" has the ids",
                            EscapeForTerminal(id)));
  }
  return records;
}

// The member `name` of the record to the letter, numbers too; "" when there is none.
std::string RawMember(std::string_view line, std::string_view name) {
  std::string raw;
  const auto json = ParseJson(line, {kBytesMax, kJsonDepthCeiling});
  if (!json) return raw;
  const JsonTape tape(*json);
  (void)JsonField(tape, JsonTape::kRoot, "")
      .ForEachMember([&](const std::string& key, const JsonField& member) {
        if (key == name) raw = member.text();
        return Expected<void>();
      });
  return raw;
}

std::string OwnFolder() {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  std::string path(own.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return path.substr(0, path.rfind('/') + 1);
}

std::map<std::string, std::string> OwnEnvironment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair = *entry;
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) all.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return all;
}

// The new run's id.
Expected<std::string> RunAgain(const std::string& request, const std::string& state_dir) {
  CommandOptions options;
  constexpr std::int64_t kHourMs = 3'600'000;
  options.timeout_ms = kHourMs;
  options.bytes_max = kBytesMax;
  options.env = OwnEnvironment();
  options.stdin_bytes = request + "\n";
  const auto done = RunCommand({OwnFolder() + "casemate", "run", "--no-engine", "--state-dir", state_dir,
                                "--batch", "-", "--jobs", "1", "--quiet"},
                               options);
  if (!done) return std::unexpected(done.error());
  const auto line = ParseBoundedValue(done->out, {.bytes_max = kBytesMax});
  std::string id = line && line->is_object() ? At(line->get_object(), "result.id") : "";
  if (!id.empty()) return id;
  return Fail(ErrorCode::kInternal, "the program could not be run again", done->err.substr(0, 500));
}

std::string Shown(const std::string& text) {
  constexpr std::size_t kShownMax = 60;
  if (text.empty()) return "none";
  return EscapeForTerminal(text.size() <= kShownMax ? text : text.substr(0, kShownMax) + "…");
}

}  // namespace

bool ReplayReport::same() const { return std::ranges::all_of(points, &ReplayPoint::same); }

Expected<std::string> ReplayableRequest(std::string_view record,
                                        const std::map<std::string, std::string>& env) {
  const auto parsed = ParseBoundedValue(record, {.bytes_max = audit::kRecordBytesMax});
  if (!parsed || !parsed->is_object()) return Refuse("the record of the run cannot be read");
  const object& intent = parsed->get_object();
  const std::string id = At(intent, "id");
  if (const std::string why = At(intent, "program_not_kept"); !why.empty())
    return Refuse(fmt::format("the program of {} was not kept: {}", id, why));
  if (!intent.contains("program")) {
    return Refuse(
        fmt::format("the program of {} was not kept, so it cannot be run again: run programs with --policy "
                    "recorded for that",
                    id));
  }
  if (intent.contains("session"))
    return Refuse(fmt::format("{} was a step of a session, and depends on the steps before it", id));
  if (intent.contains("program_redacted")) {
    return Refuse(fmt::format(
        "{} had secrets in its program or data, which were taken out of what was kept: that is not what ran",
        id));
  }
  auto request = DecodeRequest(RawMember(record, "program"));
  if (!request)
    return Refuse(fmt::format("the kept program of {} is no request: {}", id, request.error().message));
  if (const std::string seed = At(intent, "seed"); !seed.empty()) request->env["CASEMATE_SEED"] = seed;
  if (const value* names = intent.if_contains("env_names"); names != nullptr && names->is_array()) {
    for (const value& name : names->get_array()) {
      if (!name.is_string()) continue;
      const std::string text(std::string_view(name.get_string()));
      if (request->env.contains(text)) continue;
      const auto given = env.find(text);
      if (given == env.end()) {
        return Refuse(
            fmt::format("{} had the variable {}, whose value no record has: give it with --env {}=VALUE", id,
                        text, text));
      }
      request->env[text] = given->second;
    }
  }
  for (const auto& [name, unused] : env) {
    if (!request->env.contains(name))
      return Refuse(fmt::format("{} had no variable {}: leave it out", id, name));
  }
  return EncodeRequest(*request);
}

std::vector<ReplayPoint> Compare(const RunRecords& then, const RunRecords& now) {
  constexpr std::array<std::string_view, 7> kGiven = {
      "code.sha256",    "program.input",         "seed", "policy.sha256", "environment.sha256",
      "isolation.tier", "isolation.not_enforced"};
  constexpr std::array<std::string_view, 11> kCame = {"status", "exit_code", "signal",    "error_type",
                                                      "stdout", "stderr",    "result",    "displays",
                                                      "files",  "denials",   "redactions"};
  std::vector<ReplayPoint> points;
  const auto add = [&points](std::string_view field, const object& a, const object& b) {
    ReplayPoint point{std::string(field), At(a, field), At(b, field)};
    if (!point.then.empty() || !point.now.empty()) points.push_back(std::move(point));
  };
  for (const std::string_view field : kGiven) add(field, then.intent, now.intent);
  for (const std::string_view field : kCame) add(field, then.outcome, now.outcome);
  return points;
}

Expected<ReplayReport> Replay(const ReplayRequest& request, AuditLog& log) {
  const auto then = RecordsOf(log, request.id);
  if (!then) return std::unexpected(then.error());
  if (then->outcome.empty()) {
    return Refuse(fmt::format("{} has no outcome to compare with: its engine was killed, or it still runs",
                              request.id));
  }
  const auto text = ReplayableRequest(then->intent_line, request.env);
  if (!text) return std::unexpected(text.error());
  const auto id = RunAgain(*text, FindStateDir(request.state_dir));
  if (!id) return std::unexpected(id.error());
  const auto now = RecordsOf(log, *id);
  if (!now) return std::unexpected(now.error());
  return ReplayReport{request.id, *id, Compare(*then, *now)};
}

std::string ReplayText(const ReplayReport& report) {
  std::string text = fmt::format("{} was run again as {}\n", report.then_id, report.now_id);
  for (const ReplayPoint& point : report.points) {
    text += point.same() ? fmt::format("  same       {:<24} {}\n", point.field, Shown(point.then))
                         : fmt::format("  different  {:<24} {} -> {}\n", point.field, Shown(point.then),
                                       Shown(point.now));
  }
  return text + (report.same() ? "the outcomes are the same\n" : "the outcomes differ\n");
}

std::string ReplayJson(const ReplayReport& report) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Field("run", report.then_id);
  writer.Field("replay", report.now_id);
  writer.Field("same", report.same());
  writer.Key("compared");
  writer.BeginArray();
  for (const ReplayPoint& point : report.points) {
    writer.BeginObject();
    writer.Field("field", point.field);
    writer.Field("same", point.same());
    writer.Field("then", point.then);
    writer.Field("now", point.now);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return std::move(writer).Take() + "\n";
}

}  // namespace casemate
