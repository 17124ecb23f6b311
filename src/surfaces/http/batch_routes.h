#pragma once

#include <vector>

#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// POST /v1/batch  {"requests": [request objects], "jobs"?: n, "order"?: "given" or "finished"}; or, as
//                 application/x-ndjson, a request object a line. Each may have an "id" beside its own fields.
//                 The answer is {"results": [{"id", "line", "request_sha256", "result"}]}, or with "Accept:
//                 application/x-ndjson" these objects, a line each, as they come. What is no request, or may
//                 not run, has a result too (`rejected`). A peer that hangs up cancels the rest.
//
// `runs` must outlive them.
std::vector<Route> BatchRoutes(Runs& runs);

}  // namespace casemate::http
