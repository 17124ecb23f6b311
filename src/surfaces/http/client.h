#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "casemate/engine.h"
#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate::http {

// Runs `request` in the engine that listens at `socket_path`, as Engine::Execute would here. With a `sink`
// its events come as they happen, without one all at the end. `cancel_fd` (or -1), once readable, cancels the
// run; its result still comes. Blocks.
//
// An error means that the engine has not taken the request, so that nothing has run: kNotFound when nobody
// listens, kUnavailable when who listens does not answer or will not, kInvalidRequest when the request cannot
// be sent. From then on all is told by the result, which is `failed` when the engine goes away during the
// run.
Expected<ExecutionResult> RunAt(const std::string& socket_path, const ExecutionRequest& request,
                                EventSink* sink, int cancel_fd);

// The body of GET `target` at the engine that listens at `socket_path`. kNotFound when nobody listens,
// kUnavailable when it does not answer within two seconds or has no such thing.
Expected<std::string> GetAt(const std::string& socket_path, std::string_view target);

struct HttpAnswer {
  int status = 0;
  std::string body;
};
// One request, and whatever the engine that listens at `socket_path` answers. Blocks for as long as that
// takes. kNotFound when nobody listens, kUnavailable when the answer does not come to its end.
Expected<HttpAnswer> AskAt(const std::string& socket_path, std::string_view method, std::string_view target,
                           std::string_view body);

}  // namespace casemate::http
