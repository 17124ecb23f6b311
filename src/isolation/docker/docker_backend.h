#pragma once

#include <memory>
#include <string>
#include <vector>

#include "casemate/backend.h"

namespace casemate::docker {

// The docker tier: one container of a Docker Engine a run, asked over its API (place.h). Nothing is asked
// before Admit(). `warm`: keep containers ready for runs like the latest. `runtime`: "runsc" or "kata" where
// the engine has it under that name; "" for the engine's default.
std::unique_ptr<Backend> MakeDockerBackend(bool warm = false, std::string runtime = "");

// Containers of engines of this host that are no more, and images that no name leads to. Nothing when no
// Docker Engine answers.
struct Garbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
Garbage CollectDockerGarbage();

}  // namespace casemate::docker
