#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "surfaces/cli/run_options.h"

namespace casemate {

// `casemate bench`'s command line.
struct BenchOptions {
  enum class Engine {
    kNearest,  // the resident engine where there is one, otherwise as kWarm
    kWarm,     // one of our own that keeps cells ready
    kCold,     // one of our own that keeps nothing
  };
  Engine engine = Engine::kNearest;
  std::int64_t rounds = 0;  // 0: 1000, or 100 of kCold
  int clients = 1;
  std::string program = "pass";  // a file's name, or code
  bool program_is_code = false;  // by -c: no file is looked for
  bool json = false;
  bool help = false;
  RunOptions run;  // the engine's flags, and color
};

inline constexpr std::int64_t kBenchRoundsMax = 10'000'000;
inline constexpr int kBenchClientsMax = 1024;

// `words` are those after "bench". Errors: kInvalidRequest.
Expected<BenchOptions> ParseBenchOptions(const std::vector<std::string>& words);

// The text of `casemate bench --help`.
std::string BenchHelp();

}  // namespace casemate
