#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "casemate/session.h"
#include "policy/checks/code_checker.h"

namespace casemate::mcp {

// The tools, their arguments and what they answer. What a client may ask for is in profiles/tools/tools.json;
// all else about a run is the operator's: `base`.

// A JSON array on one line: the tools as `tools/list` gives them.
const std::string& ToolDefinitions();

enum class Tool { kRunPython, kRunCommand, kCheckCode, kSessionStart, kSessionRun, kSessionEnd };
std::optional<Tool> FindTool(std::string_view name);

struct ToolArguments {
  ExecutionRequest request;  // `base` with the client's program, data and files; of a step without `base`
  std::string session_id;
};
// What `arguments`, a JSON object, ask of `tool`. A limit that `base` has is the most that they may ask for.
// kInvalidRequest with one sentence.
Expected<ToolArguments> ReadArguments(Tool tool, const JsonText& arguments, const ExecutionRequest& base);

// The `result` of tools/call: text for a reader, pictures, and the object of the contract as
// structuredContent. isError is true for every status but `ok`, so that a model sees what to correct.
std::string RunAnswer(const ExecutionResult& result);
// The same object as an entry of `casemate check --json`, but for its name.
std::string CheckAnswer(const CheckReport& report);
// With the session's id.
std::string SessionAnswer(const SessionInfo& session);
std::string EndAnswer();
// For what a model can correct.
std::string RefusalAnswer(std::string_view message);

}  // namespace casemate::mcp
