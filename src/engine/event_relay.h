#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casemate/event.h"
#include "engine/scrub.h"
#include "runtime/result_decoder.h"
#include "supervise/supervisor.h"

namespace casemate {

// Turns what the supervisor sees into events, and the result channel's bytes into a report. Nothing leaves it
// that the scrubber has not been over.
class EventRelay : public RunObserver {
 public:
  // `end_token`: of a session's step (runtime/result_decoder.h).
  EventRelay(const Limits& limits, Scrubber& scrubber, bool keep_streams, EventSink& sink,
             std::string end_token = {})
      : decoder_(limits, std::move(end_token)),
        scrubber_(scrubber),
        keep_streams_(keep_streams),
        sink_(sink) {}

  void OnStdout(std::string_view text) override {
    scrubber_.out().Feed(text, piece_);
    Tell<StdoutEvent>(stdout_);
  }
  void OnStderr(std::string_view text) override {
    scrubber_.err().Feed(text, piece_);
    Tell<StderrEvent>(stderr_);
  }
  void OnDenial(const Denial& denial) override {
    denials_.push_back(scrubber_.Clean(denial));
    Emit(DenialEvent{&denials_.back()});
  }
  void OnResultBytes(std::string_view bytes) override {
    decoder_.Feed(bytes);
    const auto& displays = decoder_.report().displays;
    while (displays_.size() < displays.size()) {
      displays_.push_back(scrubber_.Clean(displays[displays_.size()]));
      Emit(DisplayEvent{&displays_.back()});
    }
  }
  std::optional<int> exit_code_told() const override { return decoder_.report().exit_code; }
  HarnessReport TakeReport() {
    decoder_.Finish();
    HarnessReport report = decoder_.TakeReport();
    report.displays = std::move(displays_);
    for (Timing& timing : report.timings) {
      timing.step = scrubber_.CleanText(timing.step, "timings").text();
    }
    return report;
  }
  // To be called when nothing more comes: what was held back goes out, and `outcome` gets the clean texts.
  void FinishStreams(const Limits& limits, Outcome& outcome) {
    scrubber_.out().Finish(piece_);
    if (outcome.truncated.stdout_cut)
      piece_ +=
          scrubber_.CleanText(TruncationNote(outcome.usage.stdout_bytes, limits.stdout_bytes_max), "stdout");
    Tell<StdoutEvent>(stdout_);
    scrubber_.err().Finish(piece_);
    if (outcome.truncated.stderr_cut)
      piece_ +=
          scrubber_.CleanText(TruncationNote(outcome.usage.stderr_bytes, limits.stderr_bytes_max), "stderr");
    Tell<StderrEvent>(stderr_);
    outcome.stdout_text = std::move(stdout_).Take();
    outcome.stderr_text = std::move(stderr_).Take();
    for (std::size_t i = 0; i < denials_.size(); ++i) outcome.denials[i].what = denials_[i].what;
  }
  void Emit(const Event& event) { sink_.OnEvent(event); }
  // Those from the `first` on, which nobody was told of while the program ran.
  void EmitDenials(const std::vector<Denial>& denials, std::size_t first) {
    for (std::size_t i = first; i < denials.size(); ++i) Emit(DenialEvent{&denials[i]});
  }

 private:
  template <typename StreamEvent>
  void Tell(RedactedBytes& kept) {
    if (piece_.empty()) return;
    Emit(StreamEvent{piece_.text()});
    if (keep_streams_) kept += piece_;
    piece_.clear();
  }

  ResultDecoder decoder_;
  Scrubber& scrubber_;
  bool keep_streams_;
  EventSink& sink_;
  RedactedBytes piece_;  // on its way out
  RedactedBytes stdout_;
  RedactedBytes stderr_;
  std::vector<Display> displays_;
  std::vector<Denial> denials_;  // in the order of their first sight
};

}  // namespace casemate
