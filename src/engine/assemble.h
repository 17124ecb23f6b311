#pragma once

#include <string>

#include "casemate/backend.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "runtime/result_decoder.h"
#include "supervise/supervisor.h"

namespace casemate {

// Puts together what was seen from outside (`outcome`) and what the sandbox said (`report`) into `result`.
// The outside decides the status; the report can only turn kOk into kResultInvalid, and explain.
void Assemble(const ExecutionRequest& request, const LaunchSpec& spec, Outcome outcome, HarnessReport report,
              ExecutionResult& result);

// A run that never came to be: kRejected or kUnavailable by the error's code, kFailed for our own fault.
void AssembleRefusal(const Error& error, ExecutionResult& result);

// One sentence for what ended the run and one for what to change; empty for kOk and kError, and for the
// refusals (kResultInvalid, kRejected, kUnavailable), which bring their own.
struct StatusText {
  std::string message;
  std::string hint;
};
StatusText ExplainStatus(Status status, const Limits& limits);

}  // namespace casemate
