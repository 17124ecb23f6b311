#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "casemate/result.h"

namespace casemate {

// A run as one ordered stream. Surfaces print it each in its own way; the events know no surface.
struct StartedEvent {
  std::string id;
};
struct StdoutEvent {
  std::string_view text;  // valid during the call
};
struct StderrEvent {
  std::string_view text;
};
struct DisplayEvent {
  const Display* display;  // valid during the call, as below
};
struct ResultEvent {
  const JsonText* result;
};
struct ErrorEvent {
  const ProgramError* error;
};
struct DenialEvent {
  const Denial* denial;
};
struct FinishedEvent {
  const ExecutionResult* result;
};
using Event = std::variant<StartedEvent, StdoutEvent, StderrEvent, DisplayEvent, ResultEvent, ErrorEvent,
                           DenialEvent, FinishedEvent>;

// Receives the events of one run, in order, on the thread that called Engine::Execute. Must not block for
// long: the deadline is watched by the same thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnEvent(const Event& event) = 0;
};

}  // namespace casemate
