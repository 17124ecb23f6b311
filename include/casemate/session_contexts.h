#pragma once

#include <string>

#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// Of an engine's Sessions, as Sessions::Run: a step that has variables of its own. A context is made by the
// first step that names it and lives as long as its session; copies of the session have it too. Contexts
// share all else of their interpreter: modules, files, the working folder, threads, limits; they are no wall
// between programs. One step at a time, whatever its context.
class SessionContexts {
 public:
  virtual ~SessionContexts() = default;
  // `context`: 1 to 64 letters, digits, "_" and "-"; "" for the session's own variables. kInvalidRequest for
  // any other; there was no step then.
  virtual Expected<ExecutionResult> RunIn(const std::string& id, const std::string& context,
                                          const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                          bool cancel_on_hang_up) = 0;
};

}  // namespace casemate
