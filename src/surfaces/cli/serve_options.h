#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/engine.h"
#include "casemate/error.h"
#include "surfaces/http/connection.h"

namespace casemate {

// `casemate serve`'s command line.
struct ServeOptions {
  EngineOptions engine{.warm = {.enabled = true}};
  http::ServerLimits server;
  std::string socket;              // "" means http::DefaultSocketPath()
  std::int64_t drain_ms = 30'000;  // what runs have to end after SIGTERM
  int lifeline = -1;               // a descriptor: the engine ends when its other end is closed
  bool help = false;
};

// `words` are those after "serve"; flags are "--flag VALUE" or "--flag=VALUE". kInvalidRequest with one
// sentence.
Expected<ServeOptions> ParseServeOptions(const std::vector<std::string>& words);

// The text of `casemate serve --help`.
std::string ServeHelp();

}  // namespace casemate
