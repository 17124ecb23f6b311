#pragma once

#include "casemate/error.h"
#include "casemate/request.h"
#include "surfaces/cli/run_options.h"

namespace casemate {

// Reads the files that `options` name (and `stdin_fd` for "-") into a complete request. Errors: kNotFound
// only for the program's own file; kInvalidRequest for any other that cannot be read.
Expected<ExecutionRequest> LoadRequest(const RunOptions& options, int stdin_fd);

}  // namespace casemate
