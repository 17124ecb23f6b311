#pragma once

#include <string>
#include <vector>

#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// GET /v1/environments        those that were built, with what they hold
// GET /v1/environments/{id}   one of them, by its hash or the first 8 digits of it and more
// POST /v1/environments       {"name"}: builds one, as `casemate env build NAME` does, and waits for it; one
//                             that is there already is answered at once
//
// `state_dir` is the engine's own. A build takes a run's place, and what its name reads of this host needs
// the scope that a run would need for it.
std::vector<Route> EnvironmentRoutes(Runs& runs, const std::string& state_dir);

}  // namespace casemate::http
