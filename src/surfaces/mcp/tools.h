#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "policy/checks/code_checker.h"

namespace casemate::mcp {

// The tools, their arguments and what they answer. What a client may ask for is in profiles/tools/tools.json;
// all else about a run is the operator's: `base`.

// A JSON array on one line: the tools as `tools/list` gives them.
const std::string& ToolDefinitions();

// The request that `arguments`, a JSON object, ask of "run_python" or "run_command": `base` with their
// program, data and files. A limit that `base` has is the most that they may ask for. kInvalidRequest with
// one sentence.
Expected<ExecutionRequest> RequestOf(std::string_view tool, const JsonText& arguments,
                                     const ExecutionRequest& base);
// The program of "check_code".
Expected<std::string> CodeOf(const JsonText& arguments);

// The `result` of tools/call: text for a reader, pictures, and the object of the contract as
// structuredContent. isError is true for every status but `ok`, so that a model sees what to correct.
std::string RunAnswer(const ExecutionResult& result);
// The same object as an entry of `casemate check --json`, but for its name.
std::string CheckAnswer(const CheckReport& report);
// For arguments that a model can correct.
std::string RefusalAnswer(std::string_view message);

}  // namespace casemate::mcp
