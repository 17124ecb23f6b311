#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "confine/cgroup_host.h"

namespace casemate {

// A tier's answer to one clause of a policy.
using ClauseAnswer = std::variant<Enforced, NotEnforced>;

ClauseAnswer Holds(PolicyClause clause, std::string mechanism);
ClauseAnswer Lacks(PolicyClause clause, std::string reason, std::string fallback, std::string remedy);
// By the controller's `knob` where there is one; by `fallback` where there is none.
ClauseAnswer ByController(const CgroupHost& host, PolicyClause clause, CgroupController controller,
                          std::string_view knob, std::string fallback);

// The answers to all clauses. kUnavailable, with the clause and its remedy, when policy.require_limits is set
// and one does not hold.
Expected<EnforcementReport> AnswerAll(Tier tier, const Policy& policy,
                                      const std::function<ClauseAnswer(PolicyClause)>& answer);

}  // namespace casemate
