#pragma once

#include <cstdint>
#include <string>

#include "casemate/error.h"

namespace casemate::audit {

// How the log keeps itself within its bounds, in a file beside it (STATE/audit/retention.json), which
// metrics, `casemate audit stats` and `casemate doctor` read. Nobody waits for retention, so nobody else
// could tell.
struct RetentionState {
  std::int64_t pruned_segments = 0;
  std::int64_t failures = 0;         // attempts that came to nothing, and are made again
  std::int64_t last_failure_us = 0;  // since 1970
  std::string trouble;               // why the last one failed; "" when it did not
  friend bool operator==(const RetentionState&, const RetentionState&) = default;
};

// Of the log in `folder`. All zero where nothing was ever pruned; an error when the file is damaged.
Expected<RetentionState> ReadRetentionState(const std::string& folder);
Expected<void> WriteRetentionState(const std::string& folder, const RetentionState& state);

}  // namespace casemate::audit
