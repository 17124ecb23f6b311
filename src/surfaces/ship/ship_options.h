#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "log/logger.h"
#include "ship/target.h"

namespace casemate {

// `casemate audit ship`'s command line.
struct ShipOptions {
  std::vector<ship::Target> targets;
  std::string state_dir;
  bool follow = false;
  int lifeline = -1;                 // a descriptor: following ends when its other end is closed
  std::int64_t timeout_ms = 30'000;  // for what is there, when it does not follow or is about to end
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
  bool help = false;
};

// `words` are those after "ship". kInvalidRequest with one sentence.
Expected<ShipOptions> ParseShipOptions(const std::vector<std::string>& words);
std::string ShipHelp();

}  // namespace casemate
