#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

// The audit log: two records a run, its intent before it is launched and its outcome after, chained by hashes
// and signed from time to time, in STATE/audit. src/audit/record.h has the form of a record,
// src/audit/store.h that of the folder.

namespace casemate {

// What an acknowledged record withstands.
enum class SyncPolicy {
  kWritten,  // the end of any process. A power cut may take the last second of a resident engine, and what
             // the kernel has not written of others (30 s by default)
  kDisk,     // a power cut too: fdatasync(2) before a run begins, shared by those that begin at once
};
std::string_view SyncPolicyName(SyncPolicy policy);  // "written", "disk"
std::optional<SyncPolicy> ParseSyncPolicy(std::string_view name);

// Which runs to tell; what is not set does not matter.
struct AuditFilter {
  std::optional<std::int64_t> since_us;  // of the intent, microseconds since 1970
  std::optional<std::int64_t> until_us;
  std::string status;       // "ok", ...; "open" for runs without an outcome
  std::string caller;       // as recorded: "uid:1000"
  std::string surface;      // "cli", "http", "library"
  std::string code_sha256;  // or its first digits
  std::string denial;       // a kind of denial ("network"), or "any"
  std::string id;
  std::int64_t limit = 0;  // the last so many; 0 for all
};

// One run, as it was recorded. Times are microseconds since 1970.
struct AuditRun {
  std::string id;
  std::int64_t started_us = 0;
  std::optional<std::int64_t> ended_us;
  std::string status;  // "open" without an outcome
  std::string caller;
  std::string surface;
  std::string code_sha256;
  std::string policy;
  std::int64_t denials = 0;
  std::int64_t intent_seq = 0;
  std::int64_t outcome_seq = 0;  // 0 without one
};

// What an examination of the chain found. Each has its place.
struct AuditFinding {
  enum class Severity {
    kNote,   // explained by the log itself: a writer that was killed, segments that were pruned
    kBroken  // evidence of an edit, a loss or a fault
  };
  Severity severity = Severity::kBroken;
  std::string
      kind;  // "edited", "missing", "inserted", "reordered", "truncated", "checkpoint", "head", "torn", ...
  std::string segment;      // file name; "" for the log as a whole
  std::int64_t offset = 0;  // bytes before it in the segment
  std::int64_t seq = 0;     // of the record, or the first that it is about; 0 when unknown
  std::string message;      // one sentence
};

struct AuditVerdict {
  bool intact = false;           // no finding is kBroken
  std::int64_t records = 0;      // read
  std::int64_t checkpoints = 0;  // with a good signature
  std::int64_t first_seq = 0;
  std::int64_t last_seq = 0;    // where the chain stops
  std::string last_hash;        // note it elsewhere: a later log must have it at last_seq
  std::int64_t signed_seq = 0;  // up to which a checkpoint covers the chain
  std::vector<AuditFinding> findings;
};

struct AuditVerifyOptions {
  std::string public_key_file;  // a copy that was kept elsewhere; "" for the one beside the log
  // A seq and its hash, as an earlier verdict gave them.
  std::optional<std::pair<std::int64_t, std::string>> expected;
};

// Reads a log, also while engines write to it. One thread.
class AuditLog {
 public:
  virtual ~AuditLog() = default;

  // Runs that match, the oldest first. `visit` returns false to stop.
  virtual Expected<void> List(const AuditFilter& filter,
                              const std::function<bool(const AuditRun&)>& visit) = 0;
  // The records of these runs, as the log has them: one JSON object each, without a newline.
  virtual Expected<void> Records(const AuditFilter& filter,
                                 const std::function<bool(std::string_view)>& visit) = 0;
  // Recomputes every hash and checks every signature. Does not use an index.
  virtual Expected<AuditVerdict> Verify(const AuditVerifyOptions& options) = 0;
};

// `state_dir` as in EngineOptions. kNotFound when there is no log.
Expected<std::unique_ptr<AuditLog>> OpenAuditLog(const std::string& state_dir);

}  // namespace casemate
