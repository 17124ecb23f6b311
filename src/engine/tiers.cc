#include "engine/tiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace casemate {

namespace {

// What a caller may do who was refused for want of a tier that is not below the container.
std::string Remedy(const std::vector<std::unique_ptr<Backend>>& backends, const ExecutionRequest& request) {
  const bool weaker =
      std::ranges::any_of(backends, [](const auto& backend) { return backend->tier() < Tier::kContainer; });
  if (!weaker || request.isolation || request.require) return "";
  return "; --require process accepts the process tier, which is weaker (casemate doctor says in what)";
}

Expected<EnforcementReport> AdmitNetwork(Backend& backend, const Policy& policy) {
  if (!policy.network.open() || backend.CarriesNetwork()) return backend.Admit(policy);
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the tier {} has no network namespace of its own from which an egress proxy could be "
                  "reached: use --isolation container, or --network none",
                  TierName(backend.tier())));
}

}  // namespace

bool MayTryWeaker(const ExecutionRequest& request, const Error& reason) {
  return !request.isolation && reason.code == ErrorCode::kUnavailable;
}

Expected<AdmittedTier> ChooseTier(const std::vector<std::unique_ptr<Backend>>& backends,
                                  const ExecutionRequest& request, const Policy& policy,
                                  const std::vector<PassedOver>& failed) {
  if (request.isolation && request.require && *request.isolation < *request.require) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the tier {} is below the required {}; ask for one of them",
                            TierName(*request.isolation), TierName(*request.require)));
  }
  const Tier floor = request.require.value_or(Tier::kContainer);
  std::optional<Error> reason;
  std::vector<PassedOver> passed_over;
  for (const auto& backend : backends) {
    const Tier tier = backend->tier();
    if (request.isolation && tier > *request.isolation) {
      passed_over.push_back(
          {tier, fmt::format("the request names the tier {}", TierName(*request.isolation))});
    }
    if (request.isolation ? tier != *request.isolation : tier < floor) continue;
    const auto known = std::ranges::find(failed, tier, &PassedOver::tier);
    Expected<EnforcementReport> report =
        Fail(ErrorCode::kUnavailable, known == failed.end() ? "" : known->reason);
    if (known == failed.end()) report = AdmitNetwork(*backend, policy);
    if (report) {
      report->passed_over = std::move(passed_over);
      return AdmittedTier{backend.get(), *std::move(report)};
    }
    passed_over.push_back({tier, report.error().message});
    if (!reason) reason = report.error();
  }
  if (reason) {
    reason->message += Remedy(backends, request);
    return std::unexpected(*std::move(reason));
  }
  const Tier wanted = request.isolation ? *request.isolation : request.require.value_or(Tier::kContainer);
  return Fail(ErrorCode::kUnavailable,
              fmt::format("no backend of the tier {} or above is in this build; use --isolation container",
                          TierName(wanted)));
}

}  // namespace casemate
