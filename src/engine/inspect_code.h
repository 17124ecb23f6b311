#pragma once

#include <string>

#include "casemate/backend.h"
#include "casemate/checks.h"
#include "casemate/error.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// Looks at the request's code as `checks` says, before anything is started, and puts what it finds into
// `result`. False when the program is refused, with `result` complete; open checks cost nothing.
// kInvalidRequest for code that cannot be checked (a command, another language) and for limits that there are
// not.
Expected<bool> InspectCode(const ExecutionRequest& request, const ChecksPolicy& checks,
                           ExecutionResult& result);

// Makes `result` that of a program which its own findings refuse.
void AssembleFindings(ExecutionResult& result);

// Gives a restricted program what compiles it; nothing for others. kUnavailable where that cannot be.
Expected<void> AddRestricted(const ChecksPolicy& checks, const std::string& state_dir, LaunchSpec& spec);

}  // namespace casemate
