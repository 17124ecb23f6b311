#pragma once

#include <vector>

#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// POST   /v1/run        a request object (model/request_json.h) in, the result object out, with 200 for every
//                       request that has one, `rejected` and `unavailable` included. With "Accept:
//                       text/event-stream" or "application/x-ndjson" the answer is the run's events, as they
//                       happen. A peer that hangs up cancels its run.
//                       With an Idempotency-Key, the same key and body again get the first answer and nothing
//                       runs twice; such a run goes on without its peer.
// GET    /v1/run        the same over a WebSocket (web_socket_run.h)
// GET    /v1/runs       what runs now for this caller
// DELETE /v1/runs/{id}  ends one; its own answer still comes, and its connection ends
//
// `runs` must outlive them.
std::vector<Route> RunRoutes(Runs& runs);

}  // namespace casemate::http
