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
// admits the policy and is not below the floor: request.require, or else the container, so that nobody gets
// less without having said so. `failed`: tiers that admitted it and could not start it. The report names what
// was passed over. kUnavailable with the reason of the strongest that was asked.
Expected<AdmittedTier> ChooseTier(const std::vector<std::unique_ptr<Backend>>& backends,
                                  const ExecutionRequest& request, const Policy& policy,
                                  const std::vector<PassedOver>& failed = {});

// Whether `request` may run in a tier below the one that could not start it: it named none, and the host, not
// the request, is the reason.
bool MayTryWeaker(const ExecutionRequest& request, const Error& reason);

// Backend::Admit, and a refusal where the policy has a network that the tier cannot carry.
Expected<EnforcementReport> AdmitOn(Backend& backend, const Policy& policy);

}  // namespace casemate
