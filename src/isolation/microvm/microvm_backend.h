#pragma once

#include <memory>
#include <string>

#include "casemate/backend.h"
#include "isolation/microvm/image_cache.h"

namespace casemate::microvm {

// Where an engine with this state folder keeps images and templates.
std::string ImageFolder(const std::string& state_dir);

// The microvm tier: a machine of QEMU's with a kernel of its own for each run, started from the saved state
// of one that has booted. `wall` makes the walls around QEMU itself (the container tier). `folder` keeps
// images and templates. Nothing is looked for before Admit().
std::unique_ptr<Backend> MakeMicrovmBackend(std::unique_ptr<Backend> wall, std::string folder);

}  // namespace casemate::microvm
