#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/policy.h"
#include "casemate/redactor.h"
#include "casemate/request.h"
#include "casemate/result.h"

// The two records of a run. They hold digests, sizes, names and references, and no value: of a variable its
// name, of a secret its name and where it is kept, of data its SHA-256 and size. Text that people chose
// (names, paths, remedies) is cut at kTextBytesMax. The one exception is the program that a profile asks to
// keep, with its data: KeptProgram below is the only way in for it.

namespace casemate::audit {

inline constexpr std::size_t kTextBytesMax = 512;
inline constexpr std::size_t kListMax = 64;  // entries of one list; a record says how many there were

struct Digest {
  std::string sha256;
  std::int64_t bytes = 0;
};
Digest DigestOf(std::string_view bytes);

// A request object without its variables, as it may be kept.
class KeptProgram {
 public:
  explicit KeptProgram(const RedactedJson& request) : request_(request.json()) {}
  const JsonText& request() const { return request_; }

 private:
  JsonText request_;
};

struct RunIntent {
  std::string id;
  const ExecutionRequest* request = nullptr;  // not owned
  std::string caller;                         // "uid:1000"
  Digest code;
  std::string policy_sha256;                     // of the complete policy; empty when there was none yet
  std::string environment_sha256;                // likewise
  const EnforcementReport* isolation = nullptr;  // null when no tier was asked
  std::optional<std::uint32_t> seed;
  std::optional<KeptProgram> kept;
  bool kept_redacted = false;                 // something was taken out of it
  std::optional<std::int64_t> keep_until_us;  // as its profile promises, since 1970
  std::string not_kept;                       // why, when its profile wants it kept
};

struct RunOutcome {
  const ExecutionResult* result = nullptr;  // not owned
  Digest stdout_digest;
  Digest stderr_digest;
  const Origin* origin = nullptr;  // not owned; null leaves it out
};

// Bodies for Writer::Append.
std::string EncodeIntent(const RunIntent& intent);
std::string EncodeOutcome(const RunOutcome& outcome);

}  // namespace casemate::audit
