#include "engine/tiers.h"

#include <fmt/format.h>

#include <optional>

namespace casemate {

Expected<AdmittedTier> ChooseTier(const std::vector<std::unique_ptr<Backend>>& backends,
                                  const ExecutionRequest& request, const Policy& policy) {
  if (request.isolation && request.require && *request.isolation < *request.require) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the tier {} is below the required {}; ask for one of them",
                            TierName(*request.isolation), TierName(*request.require)));
  }
  std::optional<Error> reason;
  for (const auto& backend : backends) {
    if (request.isolation && backend->tier() != *request.isolation) continue;
    if (request.require && backend->tier() < *request.require) continue;
    auto report = backend->Admit(policy);
    if (report) return AdmittedTier{backend.get(), *std::move(report)};
    if (!reason) reason = report.error();
  }
  if (reason) return std::unexpected(*std::move(reason));
  const Tier wanted = request.isolation ? *request.isolation : request.require.value_or(Tier::kContainer);
  return Fail(ErrorCode::kUnavailable,
              fmt::format("no backend of the tier {} or above is in this build; use --isolation container",
                          TierName(wanted)));
}

}  // namespace casemate
