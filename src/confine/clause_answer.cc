#include "confine/clause_answer.h"

#include <fmt/format.h>

#include <utility>

namespace casemate {

ClauseAnswer Holds(PolicyClause clause, std::string mechanism) {
  return Enforced{std::string(PolicyClauseName(clause)), std::move(mechanism)};
}

ClauseAnswer Lacks(PolicyClause clause, std::string reason, std::string fallback, std::string remedy) {
  return NotEnforced{std::string(PolicyClauseName(clause)), std::move(reason), std::move(fallback),
                     std::move(remedy)};
}

ClauseAnswer ByController(const CgroupHost& host, PolicyClause clause, CgroupController controller,
                          std::string_view knob, std::string fallback) {
  const CgroupPlace& place = host.place(controller);
  if (place.version != 0) return Holds(clause, fmt::format("cgroup v{} {}", place.version, knob));
  return Lacks(clause, place.why_not, std::move(fallback), place.remedy);
}

ClauseAnswer ByProcessCount(const CgroupHost& host, std::string_view above) {
  const CgroupPlace& place = host.place(CgroupController::kPids);
  if (place.version != 0)
    return Holds(PolicyClause::kProcesses, fmt::format("cgroup v{} pids.max{}", place.version, above));
  // Since Linux 5.14 RLIMIT_NPROC counts per user namespace, and a sandbox has its own.
  return Holds(PolicyClause::kProcesses,
               fmt::format("RLIMIT_NPROC in the sandbox's own user namespace{}", above));
}

ClauseAnswer ByIds(const IdSource& ids) {
  if (ids.kind != IdSource::Kind::kSingle)
    return Holds(PolicyClause::kIdentity, "user namespace with host ids leased to this run alone");
  return Lacks(PolicyClause::kIdentity, ids.why_not, "user namespace that maps the caller's own id",
               ids.remedy);
}

Expected<EnforcementReport> AnswerAll(Tier tier, const Policy& policy,
                                      const std::function<ClauseAnswer(PolicyClause)>& answer) {
  EnforcementReport report;
  report.tier = tier;
  for (const PolicyClause clause : kAllPolicyClauses) {
    ClauseAnswer given = answer(clause);
    if (auto* held = std::get_if<Enforced>(&given)) {
      report.enforced.push_back(std::move(*held));
    } else {
      report.not_enforced.push_back(std::get<NotEnforced>(std::move(given)));
    }
  }
  if (policy.require_limits && !report.not_enforced.empty()) {
    const NotEnforced& first = report.not_enforced.front();
    return Fail(ErrorCode::kUnavailable, fmt::format("{} cannot be guaranteed here: {}; {}", first.guarantee,
                                                     first.reason, first.remedy));
  }
  return report;
}

}  // namespace casemate
