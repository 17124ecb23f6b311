#pragma once

#include <memory>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/request.h"

namespace casemate {

struct AdmittedTier {
  Backend* backend;
  EnforcementReport report;
};

// The tier that runs `request`: the one it names, else the strongest of `backends` (strongest first) that
// admits the policy and is not below request.require. kUnavailable with the reason of the strongest that
// was asked.
Expected<AdmittedTier> ChooseTier(const std::vector<std::unique_ptr<Backend>>& backends,
                                  const ExecutionRequest& request, const Policy& policy);

}  // namespace casemate
