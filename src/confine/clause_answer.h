#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "confine/cgroup_host.h"
#include "confine/id_pool.h"

namespace casemate {

// A tier's answer to one clause of a policy.
using ClauseAnswer = std::variant<Enforced, NotEnforced>;

ClauseAnswer Holds(PolicyClause clause, std::string mechanism);
ClauseAnswer Lacks(PolicyClause clause, std::string reason, std::string fallback, std::string remedy);
// By the controller's `knob` where there is one; by `fallback` where there is none.
ClauseAnswer ByController(const CgroupHost& host, PolicyClause clause, CgroupController controller,
                          std::string_view knob, std::string fallback);
// The number of processes in a user namespace of the run's own: by RLIMIT_NPROC where no cgroup counts them.
// `above` is put behind the mechanism's name.
ClauseAnswer ByProcessCount(const CgroupHost& host, std::string_view above = "");
// Ids of the run's own, or why it has the caller's.
ClauseAnswer ByIds(const IdSource& ids);

// What a run without cgroups has instead.
inline constexpr const char* kCpuTimeFallback = "RLIMIT_CPU for each process, and a sum sampled every 10 ms";
inline constexpr const char* kMemoryFallback =
    "a sum sampled every 10 ms that leaves out memfds and System V segments, RLIMIT_DATA 4 GiB above it for "
    "each process";

// The answers to all clauses. kUnavailable, with the clause and its remedy, when policy.require_limits is set
// and one does not hold.
Expected<EnforcementReport> AnswerAll(Tier tier, const Policy& policy,
                                      const std::function<ClauseAnswer(PolicyClause)>& answer);

}  // namespace casemate
