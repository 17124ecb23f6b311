#pragma once

#include <string>
#include <vector>

#include "casemate/backend.h"
#include "casemate/explain.h"

namespace casemate::microvm {

// The machine of a run as a line that boots it (the port and the images by their names alone), with KVM where
// `folder`, of the images, knows that guests boot with it; a sentence where QEMU or the kernel is missing.
// Nothing is booted and no image is made.
std::vector<Document> ExplainGuest(const LaunchSpec& spec, const std::string& folder);

}  // namespace casemate::microvm
