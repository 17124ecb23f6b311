#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "casemate/limits.h"
#include "model/json_fields.h"
#include "model/request_json.h"
#include "surfaces/mcp/tools.h"

namespace casemate::mcp {
namespace {

using Done = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

constexpr std::string_view kSession = "session_id";

struct LimitArgument {
  std::string_view name;
  std::string_view limit;  // of Limits
  double factor;
};
constexpr std::array kLimits = {LimitArgument{"timeout_seconds", "wall_time_ms", 1000},
                                LimitArgument{"memory_mb", "memory_bytes", static_cast<double>(kMiB)}};

// What a tool takes: profiles/tools/tools.json tells it to clients.
struct ToolForm {
  std::string_view name;
  Tool tool;
  std::array<std::string_view, 2> required;  // "" for none
  std::array<std::string_view, 7> optional;
};
constexpr std::array kForms = {
    ToolForm{"run_python",
             Tool::kRunPython,
             {"code"},
             {"input", "args", "stdin", "files", "collect", "timeout_seconds", "memory_mb"}},
    ToolForm{"run_command",
             Tool::kRunCommand,
             {"command"},
             {"stdin", "files", "collect", "timeout_seconds", "memory_mb"}},
    ToolForm{"check_code", Tool::kCheckCode, {"code"}, {}},
    ToolForm{"session_start", Tool::kSessionStart, {}, {"files", "memory_mb"}},
    ToolForm{"session_run", Tool::kSessionRun, {kSession, "code"}, {"input", "timeout_seconds"}},
    ToolForm{"session_end", Tool::kSessionEnd, {kSession}, {}},
};

bool Has(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Done SetLimit(const LimitArgument& argument, const JsonField& value, const ExecutionRequest& base,
              ExecutionRequest& request) {
  const auto number = value.Number();
  if (!number) return std::unexpected(number.error());
  if (*number <= 0) return Refuse(fmt::format("\"{}\" must be above 0", argument.name));
  const double asked = std::ceil(*number * argument.factor);
  const auto most = base.limits.find(std::string(argument.limit));
  if (most != base.limits.end() && asked > most->second) {
    return Refuse(fmt::format("\"{}\" is at most {} here: ask for less, or leave it out", argument.name,
                              most->second / argument.factor));
  }
  request.limits[std::string(argument.limit)] = asked;
  return {};
}

void Take(ExecutionRequest decoded, ExecutionRequest& request) {
  request.code = std::move(decoded.code);
  request.command = std::move(decoded.command);
  request.input_json = std::move(decoded.input_json);
  request.args = std::move(decoded.args);
  request.stdin_bytes = std::move(decoded.stdin_bytes);
  for (InputFile& file : decoded.files) {
    std::erase_if(request.files, [&file](const InputFile& former) { return former.name == file.name; });
    request.files.push_back(std::move(file));
  }
  request.collect.insert(request.collect.end(), decoded.collect.begin(), decoded.collect.end());
}

}  // namespace

std::optional<Tool> FindTool(std::string_view name) {
  const auto form = std::ranges::find(kForms, name, &ToolForm::name);
  return form == kForms.end() ? std::nullopt : std::optional(form->tool);
}

Expected<ToolArguments> ReadArguments(Tool tool, const JsonText& arguments, const ExecutionRequest& base) {
  const ToolForm& form = *std::ranges::find(kForms, tool, &ToolForm::tool);
  ToolArguments read;
  // What a session was started with holds for all its steps.
  if (tool != Tool::kSessionRun) read.request = base;
  std::vector<std::string> given;
  // Read by the one reader of request objects.
  std::string object = "{";
  const JsonTape tape(arguments);
  auto done = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&](const std::string& name, const JsonField& value) -> Done {
                    if (name.empty() || (!Has(form.required, name) && !Has(form.optional, name))) {
                      return Refuse(fmt::format("{} has no argument \"{}\": its inputSchema lists them",
                                                form.name, name));
                    }
                    given.push_back(name);
                    const auto limit = std::ranges::find(kLimits, name, &LimitArgument::name);
                    if (limit != kLimits.end()) return SetLimit(*limit, value, base, read.request);
                    if (name == kSession) {
                      auto id = value.String();
                      if (!id) return std::unexpected(std::move(id.error()));
                      read.session_id = *std::move(id);
                      return {};
                    }
                    object += fmt::format("{}\"{}\":{}", object.size() > 1 ? "," : "", name, value.text());
                    return {};
                  });
  if (!done) return std::unexpected(std::move(done.error()));
  for (const std::string_view name : form.required) {
    if (name.empty() || std::ranges::find(given, name) != given.end()) continue;
    return Refuse(fmt::format("{} needs the argument \"{}\"", form.name, name));
  }
  auto decoded = DecodeRequest(object + "}");
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  if (tool == Tool::kRunCommand && decoded->command.empty()) return Refuse("\"command\" must name a program");
  Take(*std::move(decoded), read.request);
  return read;
}

}  // namespace casemate::mcp
