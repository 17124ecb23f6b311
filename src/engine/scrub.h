#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "casemate/redactor.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// A result that a Scrubber has been over. Events, audit records and callers are given nothing else.
class CleanResult {
 public:
  const ExecutionResult& get() const { return *result_; }

 private:
  friend class Scrubber;
  explicit CleanResult(const ExecutionResult& result) : result_(&result) {}
  const ExecutionResult* result_;
};

// All that a run lets out goes through this: made before its launch, so that it is armed with what the run is
// given. One run, one thread.
class Scrubber {
 public:
  // `known`: of the run's secrets (engine/armed_secrets.h), or null. kInvalidRequest for a `redact` of the
  // request that names no sets.
  static Expected<std::unique_ptr<Scrubber>> Make(const ExecutionRequest& request,
                                                  std::shared_ptr<const KnownValues> known);

  // By the rules that hold when a request names none that can be used.
  static std::unique_ptr<Scrubber> MakePlain();

  StreamRedactor& out() { return *out_; }
  StreamRedactor& err() { return *err_; }
  // As they come.
  Display Clean(const Display& display);
  Denial Clean(const Denial& denial);
  RedactedJson Clean(const JsonText& value, std::string_view where) { return redactor_->Json(value, where); }
  RedactedText CleanText(std::string_view text, std::string_view where) {
    return redactor_->Text(text, where);
  }
  // What is in `result` of a program that ran and did not come through the above: value, files where the
  // request asks for it, denials from `denials_done` on.
  void Finish(const ExecutionRequest& request, std::size_t denials_done, ExecutionResult& result);
  // What is told of a run, at its end: goes over what any run can have, also one that never came to be (its
  // error, what a check found), and fills in `redactions`. May be asked for again when `result`, which must
  // outlive it, has got another error.
  CleanResult Release(ExecutionResult& result);

 private:
  explicit Scrubber(std::unique_ptr<Redactor> redactor);
  void CleanError(ExecutionResult& result);
  std::string Text(std::string_view text, std::string_view where);

  std::unique_ptr<Redactor> redactor_;
  std::unique_ptr<StreamRedactor> out_;
  std::unique_ptr<StreamRedactor> err_;
  std::size_t displays_ = 0;
};

// "[output truncated: 2,345,678 bytes, first 1,048,576 shown]", on a line of its own.
std::string TruncationNote(std::int64_t bytes, std::int64_t bytes_max);

}  // namespace casemate
