#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casemate/error.h"

// How far each sink is, in files beside the log that it follows: STATE/audit/sinks/NAME.json. Who ships
// writes them after each delivery, so that one that is killed goes on where it was and sends at most its last
// batch twice; metrics and `casemate audit sinks` read them.

namespace casemate::audit {

struct SinkState {
  std::string target;  // what was asked for: "syslog:/dev/log"
  // What comes next is at this place of the log, and follows this record.
  std::int64_t segment = 0;
  std::int64_t offset = 0;
  std::int64_t seq = 0;
  std::int64_t sent = 0;  // records that were taken
  std::int64_t lost = 0;  // records that never will be: refused for good, or pruned before they were sent
  std::int64_t shortened = 0;     // of those sent, how many were too large and went without their middle
  std::int64_t failures = 0;      // attempts that came to nothing, and are made again
  std::int64_t last_sent_us = 0;  // since 1970
  std::string trouble;            // why it does not go on; "" when it does
  friend bool operator==(const SinkState&, const SinkState&) = default;
};

std::string SinksFolder(const std::string& folder);
std::string SinkStatePath(const std::string& folder, std::string_view name);

std::string EncodeSinkState(const SinkState& state);
// nullopt when it is none.
std::optional<SinkState> DecodeSinkState(std::string_view text);

// Of one sink; a new one when it has no file yet. An error when the file is damaged: going on from elsewhere
// would lose records or send all again.
Expected<SinkState> ReadSinkState(const std::string& folder, std::string_view name);

// All sinks that ever followed the log in `folder`, by name; what cannot be read is left out.
std::vector<std::pair<std::string, SinkState>> ListSinks(const std::string& folder);

}  // namespace casemate::audit
