#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/limits.h"
#include "casemate/result.h"
#include "runtime/frame.h"

namespace casemate {

// Why there is no result although the program set one.
struct ResultInvalid {
  std::string reason;   // "type", "nan", "cycle", "depth", "size", "surrogate", "key"; "json" when what
                        // the sandbox sent is itself not JSON that we take
  std::string message;  // a sentence with what to change
  std::string path;     // result["rows"][3]
  friend bool operator==(const ResultInvalid&, const ResultInvalid&) = default;
};

// What the program raised, with what helps to explain it.
struct ProgramFailure {
  ProgramError error;                       // without hint
  std::optional<std::int64_t> errno_value;  // of an OSError
  std::optional<std::string> filename;      // of an OSError
  friend bool operator==(const ProgramFailure&, const ProgramFailure&) = default;
};

// All that the sandbox said about its program. Data from hostile code: well-formed and bounded, never true.
struct HarnessReport {
  bool started = false;           // the program's text was handed to the compiler
  bool ended = false;             // its main module ran to an end
  std::optional<int> exit_code;   // 0 to 255: it has ended with this code, and asks to be killed
  std::vector<Finding> refusals;  // why a restricted program was not run; before 'P' alone
  std::optional<JsonText> result;
  std::optional<ResultInvalid> result_invalid;
  std::vector<Display> displays;
  bool displays_truncated = false;
  std::optional<ProgramFailure> failure;
  std::vector<Timing> timings;
  std::optional<std::string> protocol_error;  // a sentence; nothing after it was read
};

// Turns the bytes of the result channel into a HarnessReport. Not thread-safe; throws nothing on bad input.
//
// Each of 'S', 'T', 'Z', 'E' and one of 'R' and 'X' comes at most once, and 'S' comes first; a second one, or
// one that cannot be read, is a protocol error: an honest harness never sends it, so the program has written
// into the channel itself. What came before stays. A display that is over a limit or cannot be shown is left
// out, with displays_truncated set.
class ResultDecoder {
 public:
  // `end_token` follows the exit code of a session's step: what a former one has left behind does not end it.
  explicit ResultDecoder(const Limits& limits, std::string end_token = {});

  void Feed(std::string_view bytes);
  // To be called at the end of the channel. False when it ended inside a frame, as happens when the program
  // is killed while the harness writes, or after a protocol error.
  bool Finish();

  // Grows with each Feed; a display never changes once it is there.
  const HarnessReport& report() const { return report_; }
  HarnessReport TakeReport() { return std::move(report_); }

 private:
  void Take(const Frame& frame);
  void TakeRefused(const std::string& payload);
  void TakeExit(const std::string& payload);
  void TakeDisplay(const std::string& payload);
  void TakeResult(const std::string& payload);
  void TakeInvalid(const std::string& payload);
  void TakeError(const std::string& payload);
  void TakeTimings(const std::string& payload);
  void Break(std::string sentence);

  Limits limits_;
  std::string end_token_;
  FrameReader reader_;
  std::size_t display_bytes_left_;
  std::string seen_;  // the types of frames that came and may come only once
  HarnessReport report_;
};

}  // namespace casemate
