#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

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

// Those that a request object has too, with the same meaning.
constexpr std::array<std::string_view, 5> kForPython = {"input", "args", "stdin", "files", "collect"};
constexpr std::array<std::string_view, 3> kForCommand = {"stdin", "files", "collect"};

struct LimitArgument {
  std::string_view name;
  std::string_view limit;  // of Limits
  double factor;
};
constexpr std::array kLimits = {LimitArgument{"timeout_seconds", "wall_time_ms", 1000},
                                LimitArgument{"memory_mb", "memory_bytes", static_cast<double>(kMiB)}};

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

Expected<ExecutionRequest> RequestOf(std::string_view tool, const JsonText& arguments,
                                     const ExecutionRequest& base) {
  const bool python = tool == "run_python";
  const std::string_view program = python ? "code" : "command";
  ExecutionRequest request = base;
  bool given = false;
  // Read by the one reader of request objects.
  std::string object = "{";
  const JsonTape tape(arguments);
  auto done =
      JsonField(tape, JsonTape::kRoot, "")
          .ForEachMember([&](const std::string& name, const JsonField& value) -> Done {
            const auto limit = std::ranges::find(kLimits, name, &LimitArgument::name);
            if (limit != kLimits.end()) return SetLimit(*limit, value, base, request);
            given = given || name == program;
            if (name != program && (python ? std::ranges::find(kForPython, name) == kForPython.end()
                                           : std::ranges::find(kForCommand, name) == kForCommand.end())) {
              return Refuse(fmt::format("{} has no argument \"{}\": its inputSchema lists them", tool, name));
            }
            object += fmt::format("{}\"{}\":{}", object.size() > 1 ? "," : "", name, value.text());
            return {};
          });
  if (!done) return std::unexpected(std::move(done.error()));
  if (!given) return Refuse(fmt::format("{} needs the argument \"{}\"", tool, program));
  auto decoded = DecodeRequest(object + "}");
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  if (!python && decoded->command.empty()) return Refuse("\"command\" must name a program");
  Take(*std::move(decoded), request);
  return request;
}

Expected<std::string> CodeOf(const JsonText& arguments) {
  const JsonTape tape(arguments);
  Expected<std::string> code = Refuse("check_code needs the argument \"code\"");
  auto done = JsonField(tape, JsonTape::kRoot, "")
                  .ForEachMember([&code](const std::string& name, const JsonField& value) -> Done {
                    if (name != "code") return Refuse(fmt::format("check_code has no argument \"{}\"", name));
                    code = value.String();
                    return {};
                  });
  if (!done) return std::unexpected(std::move(done.error()));
  return code;
}

}  // namespace casemate::mcp
