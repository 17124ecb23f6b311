#include "surfaces/cli/load_request.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/file.h"
#include "environments/reference.h"
#include "surfaces/cli/env_file.h"

namespace casemate {
namespace {

// Far above any real use: only there so that a wrong file name (a device, a disk image) ends soon.
constexpr std::size_t kCodeBytesMax = 16 * static_cast<std::size_t>(kMiB);
constexpr std::size_t kEnvFileBytesMax = static_cast<std::size_t>(kMiB);
constexpr std::size_t kInputBytesMax = 256 * static_cast<std::size_t>(kMiB);

Expected<std::string> Load(const Source& source, int stdin_fd, std::size_t bytes_max, std::string_view use,
                           bool program = false) {
  if (source.kind == Source::Kind::kText) return source.value;
  const bool from_stdin = source.kind == Source::Kind::kStdin;
  const std::string name = from_stdin ? "stdin" : source.value;
  auto bytes = from_stdin ? ReadAll(stdin_fd, bytes_max, name) : ReadFile(name, bytes_max);
  if (bytes) return bytes;
  const Error& error = bytes.error();
  const bool missing = error.code == ErrorCode::kNotFound;
  const std::string_view remedy =
      missing ? "check its spelling and the folder you are in" : "it must be a file that you may read";
  return Fail(missing && program ? ErrorCode::kNotFound : ErrorCode::kInvalidRequest,
              missing ? fmt::format("{} {} is not there: {}", use, name, remedy)
                      : fmt::format("{} {} cannot be read: {}", use, name, remedy),
              error.cause.empty() ? error.message : error.cause);
}

std::optional<std::string> OfHost(const std::string& name) {
  const char* text = std::getenv(name.c_str());
  return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
}

Expected<void> LoadText(const std::optional<Source>& source, int stdin_fd, std::string_view use,
                        std::optional<std::string>& place) {
  if (!source) return {};
  auto text = Load(*source, stdin_fd, kInputBytesMax, use);
  if (!text) return std::unexpected(text.error());
  place = *std::move(text);
  return {};
}

// Variables of files come first, so that -e wins, as with Docker.
Expected<void> LoadEnv(const RunOptions& options, ExecutionRequest& request) {
  std::map<std::string, std::string> all;
  for (const std::string& file : options.env_files) {
    const auto text = Load({Source::Kind::kFile, file}, -1, kEnvFileBytesMax, "the environment file");
    if (!text) return std::unexpected(text.error());
    auto env = ParseEnvFile(*text, OfHost);
    if (!env) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("--env-file {}: {}", file, env.error().message));
    }
    for (auto& [name, value] : *env) all[name] = std::move(value);
  }
  for (auto& [name, value] : request.env) all[name] = std::move(value);
  request.env = std::move(all);
  return {};
}

// A person types slower than a program runs, and a screen is drawn anew with each key.
void CompleteForTerminal(ExecutionRequest& request) {
  constexpr double kHourMs = 3'600'000;
  constexpr double kScreens = 64 * kMiB;
  request.terminal.emplace();
  request.limits.try_emplace("wall_time_ms", kHourMs);
  request.limits.try_emplace("stdout_bytes_max", kScreens);
  request.env.try_emplace("TERM", OfHost("TERM").value_or("xterm"));
}

}  // namespace

Expected<ExecutionRequest> LoadRequest(const RunOptions& options, int stdin_fd) {
  ExecutionRequest request = options.request;
  request.origin.surface = "cli";
  request.origin.trace_parent = OfHost("TRACEPARENT").value_or("");
  request.origin.trace_state = OfHost("TRACESTATE").value_or("");
  if (options.code) {
    auto code = Load(*options.code, stdin_fd, kCodeBytesMax, "the program", true);
    if (!code) return std::unexpected(code.error());
    request.code = *std::move(code);
  }
  for (auto loaded : {LoadText(options.input, stdin_fd, "the input", request.input_json),
                      LoadText(options.input_schema, stdin_fd, "the input schema", request.input_schema),
                      LoadText(options.result_schema, stdin_fd, "the result schema", request.result_schema),
                      LoadEnv(options, request)}) {
    if (!loaded) return std::unexpected(loaded.error());
  }
  for (const auto& [name, source] : options.files) {
    auto bytes = Load(source, stdin_fd, kInputBytesMax, "the file");
    if (!bytes) return std::unexpected(bytes.error());
    request.files.push_back({name, *std::move(bytes)});
  }
  // A resident engine is somewhere else.
  request.environment = AbsoluteEnvironment(request.environment);
  if (options.forward_stdin) request.stdin_fd = stdin_fd;
  if (options.tty) CompleteForTerminal(request);
  // Without --json they have been shown as they came.
  request.keep_streams = options.json;
  return request;
}

}  // namespace casemate
