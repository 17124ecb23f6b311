#include "engine/explain.h"

#include <utility>

#include "engine/environment_source.h"
#include "engine/launch_request.h"
#include "isolation/docker/container_config.h"
#include "isolation/docker/explain.h"

namespace casemate {
namespace {

// The container tier installs the same profile; Docker's form of it is one that others can read.
std::vector<Document> ExplainContainer(const LaunchSpec& /*spec*/) {
  return {{"seccomp.json", std::string(docker::SeccompProfile()) + "\n"}};
}

struct Explainer {
  Tier tier;
  std::vector<Document> (*explain)(const LaunchSpec& spec);
};
// A tier without a line here has no form but its own.
constexpr Explainer kExplainers[] = {
    // NOLINT(modernize-avoid-c-arrays)
    {Tier::kContainer, ExplainContainer},
    {Tier::kDocker, docker::ExplainRun},
};

}  // namespace

Expected<Explanation> ExplainParts(const EngineParts& parts, const ExecutionRequest& request) {
  auto checked = CheckRequest(request);
  if (!checked) return std::unexpected(std::move(checked.error()));
  EnvironmentSource environments(parts);
  const auto environment = environments.Find(request.environment, request.command.empty());
  if (!environment) return std::unexpected(environment.error());
  const auto launch =
      MakeLaunch("run-explained", request, *checked, (*environment)->view, (*environment)->harness);
  if (!launch) return std::unexpected(launch.error());
  Explanation explanation{checked->policy, launch->spec.argv, {}};
  for (const auto& backend : parts.backends) {
    if (request.isolation && *request.isolation != backend->tier()) continue;
    TierExplanation tier;
    tier.tier = backend->tier();
    if (auto report = backend->Admit(checked->policy)) {
      tier.report = *std::move(report);
    } else {
      tier.why_not = report.error().message;
    }
    for (const Explainer& explainer : kExplainers) {
      if (explainer.tier == tier.tier) tier.documents = explainer.explain(launch->spec);
    }
    explanation.tiers.push_back(std::move(tier));
  }
  return explanation;
}

}  // namespace casemate
