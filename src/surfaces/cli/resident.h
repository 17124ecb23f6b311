#pragma once

#include <optional>

#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "surfaces/cli/run_options.h"

namespace casemate {

// Runs `request` in the resident engine (`casemate serve`) where there is one that answers and the run would
// be the same there. Unset: nothing has run, and the run is to be made here. That is so too for
//   - --no-engine, --python and --state-dir, $CASEMATE_PYTHON and an active virtual environment, which choose
//   an
//     engine of our own;
//   - a stdin that is handed on while it comes (a pipe, a terminal, a file above 1 MiB);
//   - what a request object cannot tell (model/request_json.h).
// For an engine that --engine names each of these is an error, and so is one that does not answer.
//
// The engine is looked for at --engine, else at $CASEMATE_SOCKET (empty: nowhere), else at
// http::DefaultSocketPath(). A stdin that is a small file is read into `request`.
Expected<std::optional<ExecutionResult>> RunResident(const RunOptions& options, ExecutionRequest& request,
                                                     EventSink* sink, int cancel_fd);

}  // namespace casemate
