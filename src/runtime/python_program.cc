#include "runtime/python_program.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "model/json_escape.h"
#include "runtime/frame.h"

namespace casemate {
namespace {

// The harness reads this as a Python literal, so it holds no null, true or false.
class OptionsWriter {
 public:
  void Add(std::string_view name, std::string_view value) {
    Name(name);
    AppendJsonString(text_, value);
  }
  void Add(std::string_view name, std::int64_t value) {
    Name(name);
    text_ += fmt::format("{}", value);
  }
  void Add(std::string_view name, const std::vector<std::string>& values) {
    Name(name);
    text_ += '[';
    for (const std::string& value : values) {
      if (text_.back() != '[') text_ += ',';
      AppendJsonString(text_, value);
    }
    text_ += ']';
  }
  std::string Finish() && { return std::move(text_) + "}"; }

 private:
  void Name(std::string_view name) {
    if (text_.size() > 1) text_ += ',';
    AppendJsonString(text_, name);
    text_ += ':';
  }

  std::string text_ = "{";
};

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." && !name.contains('/') &&
         !name.contains('\0');
}

std::string Options(const ExecutionRequest& request, const EnvironmentView& environment,
                    const Limits& limits) {
  std::vector<std::string> argv = {request.code_name};
  argv.insert(argv.end(), request.args.begin(), request.args.end());
  OptionsWriter options;
  options.Add("filename", "/code/" + request.code_name);
  options.Add("argv", argv);
  options.Add("sys_path", environment.sys_path);
  options.Add("result_bytes_max", limits.result_bytes_max);
  options.Add("result_depth_max", limits.result_depth_max);
  options.Add("displays_bytes_max", limits.displays_bytes_max);
  return std::move(options).Finish();
}

}  // namespace

Expected<PythonProgram> MakePythonProgram(const ExecutionRequest& request, const EnvironmentView& environment,
                                          const Limits& limits, const JsonText* input,
                                          std::vector<RootFile> harness) {
  if (!IsPlainFileName(request.code_name)) {
    return Fail(ErrorCode::kInvalidRequest,
                "The code's name must be a plain file name such as main.py, without \"/\".");
  }
  const std::string code = request.code.value_or("");
  PythonProgram program;
  program.argv = {
      environment.python,          "-I", "-S", harness.front().path, fmt::format("{}", kRequestFd),
      fmt::format("{}", kResultFd)};
  program.root_files = std::move(harness);
  program.root_files.push_back({"/code/" + request.code_name, code});
  // Plots need no screen, and the caches of matplotlib a place that can be written.
  program.request_bytes = EncodeFrame(FrameType::kOptions, Options(request, environment, limits));
  program.request_bytes += EncodeFrame(FrameType::kCode, code);
  if (input != nullptr) program.request_bytes += EncodeFrame(FrameType::kInput, input->text());
  program.request_bytes += EncodeFrame(FrameType::kGo, {});
  return program;
}

}  // namespace casemate
