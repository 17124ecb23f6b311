#pragma once

#include <memory>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "casemate/session.h"

namespace casemate {

// One interpreter that lives, and the sandbox around it. Its destructor ends both.
class LiveSession {
 public:
  virtual ~LiveSession() = default;

  // One caller at a time, of these four; Prepare() comes before each step. The result's `session` says
  // whether it has ended.
  virtual ExecutionResult Step(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                               bool cancel_on_hang_up) = 0;
  // Whose variables the step has; "" for the session's own. An interrupt from here on is the step's. Does not
  // wait.
  virtual void Prepare(std::string context) = 0;
  // A look between steps: ends what has used more than a step may. Why it has ended, or "".
  virtual std::string Look() = 0;
  // Lets go of what only a step needs, which the next one takes again.
  virtual void Rest() = 0;

  // The same caller. One session more for each id; each begins where this one is, and so does this one, anew.
  // After an error other than kUnavailable it has ended, which Look() tells.
  virtual Expected<std::vector<std::unique_ptr<LiveSession>>> Fork(const std::vector<std::string>& ids) = 0;

  // Any thread, at any time. The first two do not wait.
  virtual void Interrupt() = 0;
  virtual void End() = 0;  // ends the step that runs; its Step() returns soon
  virtual Expected<FileAnswer> Files(const FileRequest& request) = 0;
  virtual const EnforcementReport& isolation() const = 0;
};

class LiveSessionMaker {
 public:
  virtual ~LiveSessionMaker() = default;
  // Blocks until it is ready for its first step. Several threads at once.
  virtual Expected<std::unique_ptr<LiveSession>> Make(const std::string& id,
                                                      const SessionOptions& options) = 0;
};

}  // namespace casemate
