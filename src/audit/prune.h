#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/writer.h"
#include "casemate/error.h"

namespace casemate::audit {

// What is kept; what is not set removes nothing.
struct Retention {
  std::optional<std::int64_t> since_us;   // records of this time and later, in microseconds since 1970
  std::optional<std::int64_t> bytes_max;  // of all segments together
  // What a sink has not had yet, and what a profile has promised to keep (keep_until), goes only when
  // bytes_max demands it.
  bool spares = false;
};

struct Pruned {
  std::int64_t segments = 0;
  std::int64_t bytes = 0;
  std::int64_t through_seq = 0;  // the last record that is gone; 0 when none is
};

// Removes whole segments from the start of the log in `folder`, never the one that is written. A record and a
// checkpoint that say so come first, through `writer`: a start that is gone without them is a finding.
// kUnavailable when they cannot be written, and then nothing is removed.
Expected<Pruned> Prune(const std::string& folder, const Retention& retention, Writer& writer);

}  // namespace casemate::audit
