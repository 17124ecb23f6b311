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

// Whether `request` names `backend`, by its tier or runtime, or leaves the choice to us and may get it.
bool IsCandidate(const Backend& backend, const ExecutionRequest& request, Tier floor) {
  if (!request.runtime.empty()) return backend.runtime() == request.runtime;
  // One that makes the same tier as Casemate itself is another way to it, not a stronger one.
  if (!backend.runtime().empty() && backend.tier() <= Tier::kContainer) return false;
  if (request.isolation) return backend.tier() == *request.isolation;
  return backend.tier() >= floor && (!backend.only_by_name() || floor > Tier::kContainer);
}

// Why no backend is a candidate.
Error NoCandidate(const ExecutionRequest& request) {
  if (!request.runtime.empty()) {
    return {ErrorCode::kInvalidRequest,
            fmt::format("no runtime is called {}: it must be crun, runc, runsc or kata, or the tier's own "
                        "without --runtime",
                        request.runtime),
            ""};
  }
  const Tier wanted = request.isolation ? *request.isolation : request.require.value_or(Tier::kContainer);
  return {ErrorCode::kUnavailable,
          fmt::format("no backend of the tier {} or above is in this build; use --isolation container",
                      TierName(wanted)),
          ""};
}

}  // namespace

Expected<EnforcementReport> AdmitOn(Backend& backend, const Policy& policy) {
  if (!policy.network.open() || backend.CarriesNetwork()) return backend.Admit(policy);
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the tier {} has no network of its own from which an egress proxy could be reached: use "
                  "--isolation container, docker, gvisor or microvm, or --network none",
                  TierName(backend.tier())));
}

bool MayTryWeaker(const ExecutionRequest& request, const Error& reason) {
  return !request.isolation && request.runtime.empty() && reason.code == ErrorCode::kUnavailable;
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
    const bool own = backend->runtime().empty();
    if (request.isolation && request.runtime.empty() && own && tier > *request.isolation) {
      passed_over.push_back(
          {tier, fmt::format("the request names the tier {}", TierName(*request.isolation))});
    }
    if (!IsCandidate(*backend, request, floor)) continue;
    if (request.isolation && tier != *request.isolation) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{} makes sandboxes of the tier {}, not {}; leave one of the two out",
                              request.runtime, TierName(tier), TierName(*request.isolation)));
    }
    if (tier < floor && request.require) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the tier {} of {} is below the required {}; ask for one of them",
                              TierName(tier), request.runtime, TierName(floor)));
    }
    if (!request.isolation && request.runtime.empty()) {
      if (std::string why = backend->why_never_chosen(); !why.empty()) {
        if (!reason) reason = Error{ErrorCode::kUnavailable, why, ""};
        passed_over.push_back({tier, std::move(why)});
        continue;
      }
    }
    const auto known = std::ranges::find(failed, tier, &PassedOver::tier);
    Expected<EnforcementReport> report =
        Fail(ErrorCode::kUnavailable, known == failed.end() ? "" : known->reason);
    if (known == failed.end()) report = AdmitOn(*backend, policy);
    if (report && request.terminal && !backend->CarriesTerminal()) {
      report =
          Fail(ErrorCode::kUnavailable,
               fmt::format("{} gives a program no terminal: use --isolation container, or leave out --tty",
                           own ? fmt::format("the tier {}", TierName(tier)) : backend->runtime()));
    }
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
  return std::unexpected(NoCandidate(request));
}

}  // namespace casemate
