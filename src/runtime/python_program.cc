#include "runtime/python_program.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "model/json_writer.h"
#include "runtime/frame.h"

namespace casemate {
namespace {

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." && !name.contains('/') &&
         !name.contains('\0');
}

}  // namespace

std::string HarnessOptions(const std::string& code_name, const std::vector<std::string>& args,
                           const EnvironmentView& environment, const Limits& limits,
                           const ChecksPolicy& checks, std::optional<std::uint32_t> seed) {
  JsonWriter options;
  options.BeginObject();
  options.Field("filename", "/code/" + code_name);
  options.Key("argv");
  options.BeginArray();
  options.String(code_name);
  for (const std::string& arg : args) options.String(arg);
  options.EndArray();
  options.Key("sys_path");
  options.BeginArray();
  for (const std::string& path : environment.sys_path) options.String(path);
  options.EndArray();
  if (!environment.base_python.empty()) options.Field("prefix", environment.python_prefix);
  options.Field("result_bytes_max", limits.result_bytes_max);
  options.Field("result_depth_max", limits.result_depth_max);
  options.Field("displays_bytes_max", limits.displays_bytes_max);
  if (seed) options.Field("seed", *seed);
  if (checks.mode == ChecksMode::kRestricted) {
    options.Key("restricted");
    options.BeginArray();
    for (const std::string& package : checks.allowed_packages) options.String(package);
    options.EndArray();
  }
  options.EndObject();
  return std::move(options).Take();
}

Expected<PythonProgram> MakePythonProgram(const ExecutionRequest& request, const EnvironmentView& environment,
                                          const Limits& limits, const JsonText* input,
                                          std::vector<RootFile> harness, const ChecksPolicy& checks,
                                          std::optional<std::uint32_t> seed) {
  if (!IsPlainFileName(request.code_name)) {
    return Fail(ErrorCode::kInvalidRequest,
                "The code's name must be a plain file name such as main.py, without \"/\".");
  }
  const std::string code = request.code.value_or("");
  PythonProgram program;
  program.argv = {environment.python,
                  seed ? "-s" : "-I",
                  "-S",
                  harness.front().path,
                  fmt::format("{}", kRequestFd),
                  fmt::format("{}", kResultFd)};
  program.root_files = std::move(harness);
  program.root_files.push_back({"/code/" + request.code_name, code});
  // Plots need no screen, and the caches of matplotlib a place that can be written.
  program.request_bytes = EncodeFrame(FrameType::kOptions, HarnessOptions(request.code_name, request.args,
                                                                          environment, limits, checks, seed));
  program.request_bytes += EncodeFrame(FrameType::kCode, code);
  if (input != nullptr) program.request_bytes += EncodeFrame(FrameType::kInput, input->text());
  program.request_bytes += EncodeFrame(FrameType::kGo, {});
  return program;
}

}  // namespace casemate
