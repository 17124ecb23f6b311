#pragma once

#include <string>
#include <vector>

#include "casemate/engine.h"
#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/request.h"

namespace casemate {

// A text that a person can check, or take elsewhere.
struct Document {
  std::string name;  // "docker run", "seccomp.json"
  std::string text;
};

// What a request would be under one tier.
struct TierExplanation {
  Tier tier = Tier::kContainer;
  std::string why_not;       // empty when this host has it
  EnforcementReport report;  // where it has
  std::vector<Document> documents;
};

struct Explanation {
  Policy policy;                  // every limit set
  std::vector<std::string> argv;  // as the sandbox would execute it
  std::vector<TierExplanation> tiers;
};

// Resolves `request` as Execute() would and runs nothing. `request.isolation` names one tier alone. Errors:
// those for which a run would be `rejected`, or have no environment.
Expected<Explanation> Explain(const EngineOptions& options, const ExecutionRequest& request);

}  // namespace casemate
