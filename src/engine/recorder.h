#pragma once

#include <string>

#include "audit/run_records.h"
#include "audit/writer.h"
#include "base/sha256.h"
#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// The two audit records of one run. Stands between the flow and the caller's sink, so that what it records of
// the streams is what has left. One thread.
class RunRecorder : public EventSink {
 public:
  // `writer` may be null: nothing is recorded. `sink` may be null. All of them outlive this.
  RunRecorder(audit::Writer* writer, const ExecutionRequest& request, EventSink* sink)
      : writer_(writer), request_(request), sink_(sink) {}

  void OnEvent(const Event& event) override;

  // Records what is about to run. On an error it must not.
  Expected<void> Begin(const ExecutionResult& result, const Policy& policy,
                       const EnvironmentView& environment);
  // Records what came of it; of a run that did not get as far as Begin(), its intent too.
  Expected<void> End(const ExecutionResult& result);

 private:
  std::string IntentBody(const ExecutionResult& result) const;

  audit::Writer* writer_;
  const ExecutionRequest& request_;
  EventSink* sink_;
  bool begun_ = false;
  bool refused_ = false;  // the log itself
  std::string policy_sha256_;
  std::string environment_sha256_;
  Sha256 stdout_;
  Sha256 stderr_;
  std::int64_t stdout_bytes_ = 0;
  std::int64_t stderr_bytes_ = 0;
};

}  // namespace casemate
