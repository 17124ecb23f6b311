#pragma once

#include <string>
#include <string_view>

#include "casemate/event.h"
#include "model/event_json.h"
#include "surfaces/http/handler.h"

namespace casemate::http {

inline constexpr std::string_view kEventsType = "application/x-ndjson";

// Prints a run's events as lines.
class EventLines : public EventSink {
 public:
  explicit EventLines(Reply& reply) : reply_(reply) {}
  void OnEvent(const Event& event) override {
    line_.clear();
    AppendEventLine(line_, event);
    // The last ones come together and go out together, when the stream ends.
    const bool ending = std::holds_alternative<ResultEvent>(event) ||
                        std::holds_alternative<ErrorEvent>(event) ||
                        std::holds_alternative<FinishedEvent>(event);
    reply_.Write(line_, !ending);
  }

 private:
  Reply& reply_;
  std::string line_;
};

}  // namespace casemate::http
