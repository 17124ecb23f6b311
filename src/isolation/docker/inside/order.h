#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <string>
#include <vector>

#include "confine/plan.h"
#include "isolation/wire/inside/channel.h"

namespace casemate::docker {

// What the engine asks for, once its files are written.
struct Order {
  std::vector<std::string> argv;
  std::vector<std::string> candidates;
  std::vector<std::string> env;
  std::vector<ResourceLimit> limits;
  LandlockPlan landlock;
  std::string working_dir = "/workspace";
  bool stdin_pipe = false;
  bool control = false;
  std::size_t connections_max = 0;  // 0: no network
};

// Takes frames until kGo. What cannot be done ends the attendant with its reason.
Order TakeOrder(WireChannel& channel);

}  // namespace casemate::docker
