#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/run_records.h"
#include "audit/writer.h"
#include "base/sha256.h"
#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "engine/launch_request.h"
#include "engine/scrub.h"

namespace casemate {

// The two audit records of one run. Stands between the flow and the caller's sink, so that what it records of
// the streams is what has left. One thread.
class RunRecorder : public EventSink {
 public:
  // `writer` may be null: nothing is recorded. `sink` may be null. All of them outlive this.
  RunRecorder(audit::Writer* writer, const ExecutionRequest& request, EventSink* sink)
      : writer_(writer), request_(request), sink_(sink) {}

  void OnEvent(const Event& event) override;

  // Records what is about to run, with its program as `scrubber` lets it out where the profile keeps it. On
  // an error it must not run.
  Expected<void> Begin(const ExecutionResult& result, const CheckedRequest& checked,
                       const EnvironmentView& environment, Scrubber& scrubber);
  // Records what came of it; of a run that did not get as far as Begin(), its intent too.
  Expected<void> End(const CleanResult& clean);

 private:
  void Keep(Scrubber& scrubber);
  std::string IntentBody(const ExecutionResult& result) const;

  audit::Writer* writer_;
  const ExecutionRequest& request_;
  EventSink* sink_;
  bool begun_ = false;
  bool refused_ = false;  // the log itself
  std::string policy_sha256_;
  std::string environment_sha256_;
  std::optional<std::uint32_t> seed_;
  std::optional<std::int64_t> keep_us_;
  std::optional<audit::KeptProgram> kept_;
  bool kept_redacted_ = false;
  std::string not_kept_;
  Sha256 stdout_;
  Sha256 stderr_;
  std::int64_t stdout_bytes_ = 0;
  std::int64_t stderr_bytes_ = 0;
};

}  // namespace casemate
