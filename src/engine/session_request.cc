#include "engine/session_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "model/json_writer.h"
#include "runtime/frame.h"

namespace casemate {
namespace {

// What each step has anew.
constexpr std::array<std::string_view, 7> kStepLimits = {
    "wall_time_ms",     "cpu_time_ms",      "stdout_bytes_max",  "stderr_bytes_max",
    "result_bytes_max", "result_depth_max", "displays_bytes_max"};

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

struct Refusal {
  bool given;
  std::string_view field;
};

}  // namespace

Expected<void> CheckSessionBase(const ExecutionRequest& base) {
  for (const Refusal& refusal :
       {Refusal{!base.command.empty(), "command"}, Refusal{!base.stdin_bytes.empty(), "stdin"},
        Refusal{!base.collect.empty(), "collect"}, Refusal{base.input_json.has_value(), "input"},
        Refusal{base.input_schema.has_value(), "input_schema"},
        Refusal{base.result_schema.has_value(), "result_schema"}}) {
    if (refusal.given)
      return Invalid(
          fmt::format("\"{}\" is not of a session: give it to a step, if it has it", refusal.field));
  }
  if (base.isolation && *base.isolation != Tier::kContainer)
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the tier {} has no sessions: use isolation \"container\"", TierName(*base.isolation)));
  return {};
}

Expected<ExecutionRequest> MakeStepRequest(const ExecutionRequest& base, const ExecutionRequest& step) {
  if (!step.code) return Invalid("a step of a session needs \"code\"");
  for (const Refusal& refusal :
       {Refusal{!step.command.empty(), "command"}, Refusal{!step.args.empty(), "args"},
        Refusal{!step.stdin_bytes.empty(), "stdin"}, Refusal{!step.files.empty(), "files"},
        Refusal{step.workspace.has_value(), "workspace"}, Refusal{!step.mounts.empty(), "mounts"},
        Refusal{!step.collect.empty(), "collect"}, Refusal{!step.env.empty(), "env"},
        Refusal{!step.secrets.empty(), "secrets"}, Refusal{step.isolation.has_value(), "isolation"},
        Refusal{step.require.has_value(), "require"}, Refusal{step.policy != "default", "policy"},
        Refusal{step.environment != "host", "environment"}}) {
    if (refusal.given)
      return Invalid(fmt::format("\"{}\" is the session's, and cannot be changed by a step", refusal.field));
  }
  if (step.checks == ChecksMode::kRestricted)
    return Invalid("a session's steps cannot be restricted: use checks \"checked\" or \"open\"");
  ExecutionRequest whole = base;
  whole.files.clear();
  whole.code = step.code;
  whole.input_json = step.input_json;
  whole.input_schema = step.input_schema;
  whole.result_schema = step.result_schema;
  whole.keep_streams = step.keep_streams;
  for (const auto& [name, value] : step.limits) {
    if (std::ranges::find(kStepLimits, name) == kStepLimits.end()) {
      return Invalid(
          fmt::format("the limit \"{}\" holds for the whole session: give it when it is opened", name));
    }
    whole.limits[name] = value;
  }
  if (step.checks) whole.checks = step.checks;
  whole.allowed_packages.insert(whole.allowed_packages.end(), step.allowed_packages.begin(),
                                step.allowed_packages.end());
  for (const auto& [name, most] : step.complexity) whole.complexity[name] = most;
  const std::string session = whole.origin.session;
  whole.origin = step.origin;
  whole.origin.session = session;
  return whole;
}

std::string EncodeStep(const ExecutionRequest& step, const Limits& limits, const StepCount& count,
                       const JsonText* input) {
  JsonWriter options;
  options.BeginObject();
  options.Field("step", count.step);
  options.Field("interrupts", count.interrupts);
  if (!count.context.empty()) options.Field("context", count.context);
  options.Field("result_bytes_max", limits.result_bytes_max);
  options.Field("result_depth_max", limits.result_depth_max);
  options.Field("displays_bytes_max", limits.displays_bytes_max);
  options.EndObject();
  std::string bytes = EncodeFrame(FrameType::kOptions, std::move(options).Take());
  bytes += EncodeFrame(FrameType::kCode, *step.code);
  if (input != nullptr) bytes += EncodeFrame(FrameType::kInput, input->text());
  bytes += EncodeFrame(FrameType::kGo, {});
  return bytes;
}

}  // namespace casemate
