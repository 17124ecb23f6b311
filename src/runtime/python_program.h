#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/checks.h"
#include "casemate/limits.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// What a LaunchSpec needs to run Python code under the harness.
struct PythonProgram {
  std::vector<std::string> argv;
  std::vector<RootFile> root_files;  // the harness and the program's own source
  std::string request_bytes;         // to be written to Channel::kRequest, which is then closed
};

// The payload of FrameType::kOptions: JSON without null, true and false, so that it is a Python literal too.
std::string HarnessOptions(const std::string& code_name, const std::vector<std::string>& args,
                           const EnvironmentView& environment, const Limits& limits,
                           const ChecksPolicy& checks = {}, std::optional<std::uint32_t> seed = std::nullopt);

// `request.code` is set; `input` is the checked input or nullptr for none; `harness` is of HarnessFiles().
// Python finds its code as /code/<code_name>, which tracebacks show. Bytes of the arguments that are not
// UTF-8 reach the program as U+FFFD. With a seed the interpreter reads its variables, of which the caller
// sets PYTHONHASHSEED alone. Errors: kInvalidRequest for a code_name that is not a plain file name.
Expected<PythonProgram> MakePythonProgram(const ExecutionRequest& request, const EnvironmentView& environment,
                                          const Limits& limits, const JsonText* input,
                                          std::vector<RootFile> harness, const ChecksPolicy& checks = {},
                                          std::optional<std::uint32_t> seed = std::nullopt);

}  // namespace casemate
