#pragma once

#include <string_view>

#include "casemate/session.h"
#include "surfaces/http/handler.h"

namespace casemate::http {

// The sessions' part of the API:
//
//   POST   /v1/sessions                   what opens one (model/session_json.h) -> 201, the session
//   GET    /v1/sessions                   {"sessions": [...]}
//   GET    /v1/sessions/ID                the session
//   DELETE /v1/sessions/ID                204
//   POST   /v1/sessions/ID/run            a step, as POST /v1/run: the result object, or its events
//   POST   /v1/sessions/ID/interrupt      202
//   PUT    /v1/sessions/ID/files/PATH     raw bytes -> 204
//   GET    /v1/sessions/ID/files/PATH     raw bytes
//   GET    /v1/sessions/ID/files/DIR?list {"entries": [...]}; DIR may be absent
//   GET    /v1/sessions/ID/files/PATH?stat
//   POST   /v1/sessions/ID/files/PATH?move_to=OTHER  204
//   DELETE /v1/sessions/ID/files/PATH     204
//
//   POST   /v1/sessions/ID/fork, /checkpoints, /rewind, /hibernate   501, with the reason
//
// Errors are problem details (RFC 9457, application/problem+json): 400, 404, 405, 409 for a session that is
// busy or has ended, 503 where there can be none. A peer that hangs up interrupts its step. Thread-safe.
bool IsSessionPath(std::string_view path);
void HandleSession(Sessions* sessions, const Request& request, Reply& reply);

// {"type","title","status","code","detail"}
Answer ProblemAnswer(int status, std::string_view code, std::string_view detail);

}  // namespace casemate::http
