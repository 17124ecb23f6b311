#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/checks.h"
#include "casemate/network.h"
#include "casemate/policy.h"
#include "casemate/redaction.h"
#include "casemate/status.h"

namespace casemate {

// JSON that has been checked: strict RFC 8259, UTF-8, bounded depth, no duplicate keys, numbers kept to
// the letter (a Python integer of any size survives). Made only by ParseJson (src/model/json.h).
class JsonText {
 public:
  const std::string& text() const { return text_; }
  friend bool operator==(const JsonText&, const JsonText&) = default;

 private:
  friend class JsonTextMaker;
  explicit JsonText(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// One thing to show: the same content in one or more MIME types. Binary types are base64.
struct Display {
  std::map<std::string, std::string> data;
  friend bool operator==(const Display&, const Display&) = default;
};

// What the program raised, in its own words: data from inside the sandbox, capped, never trusted.
struct ProgramError {
  std::string type;  // "ValueError"
  std::string message;
  std::string traceback;  // the program's own frames only
  std::string hint;       // ours: what to change, where we know it
  friend bool operator==(const ProgramError&, const ProgramError&) = default;
};

// Something the sandbox refused, told so that a person or an agent can act on it.
struct Denial {
  std::string kind;  // "syscall", "network", "path", "limit"
  std::string what;  // "mount", "connect 192.0.2.1:443", "/home/user/data.csv", "processes_max"
  std::int64_t count = 1;
  std::string remedy;
  friend bool operator==(const Denial&, const Denial&) = default;
};

struct OutputFile {
  std::string name;  // relative to /workspace
  std::int64_t size_bytes = 0;
  std::string bytes;
  bool truncated = false;  // listed without its content: over files_bytes_max
};

struct Truncated {
  bool stdout_cut = false;
  bool stderr_cut = false;
  bool displays_cut = false;
  bool files_cut = false;
  friend bool operator==(const Truncated&, const Truncated&) = default;
};

// As measured by the kernel, from outside.
struct Usage {
  std::int64_t wall_ms = 0;
  std::int64_t cpu_ms = 0;
  std::int64_t memory_peak_bytes = 0;
  std::int64_t processes_peak = 0;  // 0 where the kernel does not tell
  std::int64_t tmp_peak_bytes = 0;  // sampled
  std::int64_t stdout_bytes = 0;
  std::int64_t stderr_bytes = 0;
};

// A named step and how long it took; in the order in which the steps ended.
struct Timing {
  std::string step;
  std::int64_t microseconds = 0;
};

// The session that a step belongs to, after the step.
struct SessionNote {
  std::string id;
  std::int64_t step = 0;
  std::string ended_because;  // empty: it goes on
  friend bool operator==(const SessionNote&, const SessionNote&) = default;
};

// All that comes back from one run.
struct ExecutionResult {
  std::string id;
  Status status = Status::kFailed;
  std::optional<int> exit_code;  // unset when killed by a signal or never run
  std::optional<int> signal;
  std::string stdout_text;  // raw bytes; surfaces encode invalid UTF-8 as they must
  std::string stderr_text;
  Truncated truncated;
  std::optional<JsonText> result;
  std::vector<Display> displays;
  std::vector<OutputFile> files;
  std::optional<ProgramError> error;  // also Casemate's own refusal, with type "casemate.<code>"
  std::vector<Denial> denials;
  std::vector<NetworkAttempt> network;    // what it asked the egress proxy for
  std::vector<Redaction> redactions;      // what was taken out, never the thing itself
  ChecksMode checks = ChecksMode::kOpen;  // how its text was looked at
  std::vector<Finding> findings;          // what that found; a run that was refused for it is kRejected
  Usage usage;
  std::vector<Timing> timings;
  EnforcementReport isolation;
  std::string policy;
  std::string environment;
  std::string code_sha256;
  std::optional<SessionNote> session;  // of a step of a session
};

}  // namespace casemate
