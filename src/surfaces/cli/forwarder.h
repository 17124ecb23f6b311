#pragma once

#include <variant>

#include "casemate/event.h"
#include "surfaces/cli/cli.h"
#include "surfaces/cli/stream_writer.h"

namespace casemate {

// Forwards a program's two streams; all else is in the result.
class Forwarder : public EventSink {
 public:
  Forwarder(StreamWriter& writer, const CliStreams& streams) : writer_(writer), streams_(streams) {}
  void OnEvent(const Event& event) override {
    if (const auto* text = std::get_if<StdoutEvent>(&event)) writer_.Append(streams_.out, text->text);
    if (const auto* text = std::get_if<StderrEvent>(&event)) writer_.Append(streams_.err, text->text);
  }

 private:
  StreamWriter& writer_;
  const CliStreams& streams_;
};

}  // namespace casemate
