#include "engine/explain.h"

#include <string_view>
#include <utility>
#include <vector>

#include "engine/environment_source.h"
#include "engine/launch_request.h"
#include "engine/tiers.h"
#include "isolation/docker/container_config.h"
#include "isolation/docker/explain.h"
#include "isolation/microvm/explain.h"
#include "isolation/microvm/microvm_backend.h"
#include "isolation/oci/oci_backend.h"

namespace casemate {
namespace {

// The container tier installs the same profile; Docker's form of it is one that others can read.
std::vector<Document> ExplainContainer(const LaunchSpec& /*spec*/) {
  return {{"seccomp.json", docker::SeccompProfile({}) + "\n"}};
}

std::vector<Document> ExplainRuntime(std::string_view runtime, const LaunchSpec& spec) {
  for (const auto kind : {oci::RuntimeKind::kCrun, oci::RuntimeKind::kRunc, oci::RuntimeKind::kRunsc,
                          oci::RuntimeKind::kKata}) {
    if (oci::RuntimeName(kind) != runtime) continue;
    auto config = oci::ExplainOci(kind, spec);
    return {{"config.json", config ? *std::move(config) : config.error().ToString() + "\n"}};
  }
  return {};
}

// The tier's own form of a run, where others can read it.
std::vector<Document> DocumentsOf(const Backend& backend, const LaunchSpec& spec,
                                  const std::string& state_dir) {
  if (!backend.runtime().empty()) return ExplainRuntime(backend.runtime(), spec);
  if (backend.tier() == Tier::kContainer) return ExplainContainer(spec);
  if (backend.tier() == Tier::kDocker) return docker::ExplainRun(spec);
  if (backend.tier() == Tier::kMicrovm) return microvm::ExplainGuest(spec, microvm::ImageFolder(state_dir));
  return {};
}

bool IsAsked(const Backend& backend, const ExecutionRequest& request) {
  if (!request.runtime.empty()) return backend.runtime() == request.runtime;
  // Another way to a tier that Casemate makes by itself is explained by name alone.
  if (!backend.runtime().empty() && backend.tier() <= Tier::kContainer) return false;
  return !request.isolation || *request.isolation == backend.tier();
}

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
    if (!IsAsked(*backend, request)) continue;
    TierExplanation tier;
    tier.tier = backend->tier();
    if (auto report = AdmitOn(*backend, checked->policy)) {
      tier.report = *std::move(report);
    } else {
      tier.why_not = report.error().message;
    }
    tier.documents = DocumentsOf(*backend, launch->spec, parts.state_dir);
    explanation.tiers.push_back(std::move(tier));
  }
  return explanation;
}

}  // namespace casemate
