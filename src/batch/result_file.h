#pragma once

#include <string>

#include "base/unique_fd.h"
#include "batch/former_run.h"
#include "casemate/batch.h"
#include "casemate/error.h"

namespace casemate {

// {"id": ..., "line": n, "request_sha256": "...", "result": {...}}, one line without its newline. The item's
// id is JSON text.
std::string EncodeResultLine(const BatchItem& item, const ExecutionResult& result);

// What to do with the results of a former run that tell of an interruption (`cancelled`, or interrupted by an
// end of Casemate itself).
enum class Interrupted { kKeep, kRunAgain };

// Reads the output of a former run into `former`, cuts off a last line that was torn, and returns the file,
// open for appending. With kRunAgain, results of interrupted items are taken out (the file is replaced in one
// step) and their items run again. A file that is not there is made. Errors: kInvalidRequest when the file
// holds something else than results.
Expected<UniqueFd> ReopenResultFile(const std::string& path, Interrupted interrupted, FormerRun& former);

}  // namespace casemate
