#pragma once

#include <vector>

#include "casemate/backend.h"
#include "casemate/explain.h"

namespace casemate::docker {

// The run as a line of `docker run`, the body of the API's call that makes its container, and the filter of
// system calls. No Docker Engine is asked.
std::vector<Document> ExplainRun(const LaunchSpec& spec);

}  // namespace casemate::docker
