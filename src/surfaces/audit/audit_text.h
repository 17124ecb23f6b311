#pragma once

#include <string>
#include <string_view>

#include "audit/retention_state.h"
#include "audit/sink_state.h"
#include "casemate/audit.h"
#include "measure/latency.h"
#include "surfaces/cli/terminal.h"

#include <cstdint>
#include <map>

namespace casemate {

// What people read; text that came from elsewhere is escaped for a terminal.

std::string ListHead();
std::string ListLine(const AuditRun& run, const Style& style);

// A record as one line: time, kind, id and what came of it.
std::string TailLine(std::string_view record, const Style& style);

// A record with a member a line.
std::string RecordText(std::string_view record, const Style& style);

// How far a sink is; `lag` in records.
std::string SinkLine(const audit::SinkState& state, std::int64_t lag);
std::string SinkJson(const std::string& name, const audit::SinkState& state, std::int64_t lag);

std::string VerdictText(const AuditVerdict& verdict, const Style& style);
std::string VerdictJson(const AuditVerdict& verdict);

// What `stats` counts.
class AuditCounts {
 public:
  void Add(const AuditRun& run);
  std::string Text(const Style& style) const;
  std::string Json(const audit::RetentionState& retention) const;

 private:
  using Counts = std::map<std::string, std::int64_t>;
  std::int64_t runs_ = 0;
  std::int64_t denials_ = 0;
  Counts statuses_;
  Counts callers_;
  Counts surfaces_;
  Counts programs_;
  Latencies durations_;
};

// Why the log is not kept within its bounds; "" when it is.
std::string RetentionText(const audit::RetentionState& retention, const Style& style);

}  // namespace casemate
