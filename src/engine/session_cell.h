#pragma once

#include <memory>
#include <string>

#include "engine/environment_source.h"
#include "engine/flow.h"
#include "sessions/live_session.h"

namespace casemate {

// Opens sessions in warm cells. What a run goes through (engine.cc) a session goes through when it is opened;
// each step is looked at, recorded, watched and redacted as a run is.
class SessionMaker : public LiveSessionMaker {
 public:
  // Both outlive this and all sessions.
  SessionMaker(EngineParts& parts, EnvironmentSource& environments)
      : parts_(parts), environments_(environments) {}

  Expected<std::unique_ptr<LiveSession>> Make(const std::string& id, const SessionOptions& options) override;

 private:
  EngineParts& parts_;
  EnvironmentSource& environments_;
};

}  // namespace casemate
