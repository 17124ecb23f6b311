#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "casemate/event.h"
#include "surfaces/http/exchange.h"

namespace casemate::http {

// How a run's events are written to a peer.
enum class StreamForm {
  kLines,       // application/x-ndjson: an object a line (model/event_json.h)
  kServerSent,  // text/event-stream: "event: NAME", "data: " and the same object, a blank line
};
// The form that an Accept field asks for; nullopt: none, the answer is one object.
std::optional<StreamForm> AcceptedForm(std::string_view accept);
std::string_view ContentTypeOf(StreamForm form);

// Writes a run's events to a reply's stream as they happen. Begin() and End() are its caller's.
class EventStream : public EventSink {
 public:
  EventStream(Reply& reply, StreamForm form) : reply_(reply), form_(form) {}
  void Begin() { reply_.BeginStream(ContentTypeOf(form_)); }
  void OnEvent(const Event& event) override;
  void End() { reply_.EndStream(); }

 private:
  Reply& reply_;
  StreamForm form_;
  std::string text_;
  std::string line_;
};

}  // namespace casemate::http
