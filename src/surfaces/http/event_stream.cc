#include "surfaces/http/event_stream.h"

#include <variant>

#include "model/event_json.h"

namespace casemate::http {
namespace {

struct NameOf {
  std::string_view operator()(const StartedEvent& /*event*/) const { return "started"; }
  std::string_view operator()(const StdoutEvent& /*event*/) const { return "stdout"; }
  std::string_view operator()(const StderrEvent& /*event*/) const { return "stderr"; }
  std::string_view operator()(const DisplayEvent& /*event*/) const { return "display"; }
  std::string_view operator()(const ResultEvent& /*event*/) const { return "result"; }
  std::string_view operator()(const ErrorEvent& /*event*/) const { return "error"; }
  std::string_view operator()(const DenialEvent& /*event*/) const { return "denial"; }
  std::string_view operator()(const FinishedEvent& /*event*/) const { return "finished"; }
};

}  // namespace

std::optional<StreamForm> AcceptedForm(std::string_view accept) {
  if (accept.find("text/event-stream") != std::string_view::npos) return StreamForm::kServerSent;
  if (accept.find("application/x-ndjson") != std::string_view::npos) return StreamForm::kLines;
  return std::nullopt;
}

std::string_view ContentTypeOf(StreamForm form) {
  return form == StreamForm::kLines ? "application/x-ndjson" : "text/event-stream";
}

void EventStream::OnEvent(const Event& event) {
  line_.clear();
  AppendEventLine(line_, event);
  // The last ones come together and go out together, when the stream ends.
  const bool ending = std::holds_alternative<ResultEvent>(event) ||
                      std::holds_alternative<ErrorEvent>(event) ||
                      std::holds_alternative<FinishedEvent>(event);
  if (form_ == StreamForm::kLines) return reply_.Write(line_, !ending);
  // The object holds no line end, so that its line is one "data" line.
  text_.assign("event: ").append(std::visit(NameOf(), event)).append("\ndata: ").append(line_).append("\n");
  reply_.Write(text_, !ending);
}

}  // namespace casemate::http
