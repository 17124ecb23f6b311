#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace casemate {

// What an engine that stays keeps ready.
struct WarmOptions {
  bool enabled = false;
  std::vector<std::string> preload;       // modules to import before any program comes
  int cells_max = 16;                     // waiting cells of one pool
  std::int64_t idle_expiry_ms = 600'000;  // a pool that nobody asked for so long is given up
};

// What is kept warm for one kind of program.
struct PoolStatus {
  std::string environment;
  std::map<std::string, std::string> modules;  // each that was to be preloaded: "" or why it is not
  int cells_ready = 0;
  int cells_running = 0;
  int cells_max = 0;
  std::int64_t taken = 0;                    // warm runs so far
  std::int64_t forked_on_demand = 0;         // of those, runs that found no cell waiting
  std::map<std::string, std::int64_t> cold;  // runs that could not be warm, by reason
  std::string error;                         // why there is no zygote at this moment
};

}  // namespace casemate
