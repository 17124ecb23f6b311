#pragma once

#include "surfaces/http/exchange.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// GET /v1/run as a WebSocket: the peer's first message is a request object, ours are the run's events, one
// each, and then the connection is closed (1000). A close, an end of the connection or any further message
// cancels the run; after a message, its result still comes. A refusal is one message, a problem details
// object, and a close (1008).
void RunOverWebSocket(Runs& runs, const Request& asked, Reply& reply);

}  // namespace casemate::http
