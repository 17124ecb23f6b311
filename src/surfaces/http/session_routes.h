#pragma once

#include <vector>

#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// POST   /v1/sessions                          what opens one (model/session_json.h) -> 201, the session
// GET    /v1/sessions                          {"sessions": [...]}
// GET    /v1/sessions/{id}                     the session
// DELETE /v1/sessions/{id}                     204
// POST   /v1/sessions/{id}/run                 a step, as POST /v1/run: the result object, or its events
// POST   /v1/sessions/{id}/interrupt           202
// PUT    /v1/sessions/{id}/files/{path...}     raw bytes -> 204
// GET    /v1/sessions/{id}/files/{path...}     raw bytes; with ?list {"entries": [...]}, with ?stat one entry
// POST   /v1/sessions/{id}/files/{path...}?move_to=OTHER  204
// DELETE /v1/sessions/{id}/files/{path...}     204
// POST   /v1/sessions/{id}/fork                    {"count", "name"}, or nothing: the new sessions
// POST   /v1/sessions/{id}/checkpoints             {"name"}, or nothing; GET lists them
// DELETE /v1/sessions/{id}/checkpoints/{checkpoint}
// POST   /v1/sessions/{id}/rewind                  {"checkpoint"}
// POST   /v1/sessions/{id}/hibernate               501, with the reason
//
// Besides the usual answers 409 for a session that is busy or has ended, and 503 where there can be none. A
// peer sees the sessions that it has opened; one with the scope admin sees all. A peer that hangs up
// interrupts its step. `runs` must outlive them.
std::vector<Route> SessionRoutes(Runs& runs);

}  // namespace casemate::http
