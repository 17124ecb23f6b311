#pragma once

#include <functional>
#include <string>
#include <vector>

#include "casemate/engine.h"
#include "surfaces/http/router.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// What the routes below tell of. Both references must outlive them.
struct InfoSources {
  Engine& engine;
  Runs& runs;
  std::string version;
  std::function<std::string()> metrics;  // the text of /metrics; none: there is no such thing
};

// GET /healthz        200: this engine answers
// GET /readyz         200: it takes programs; 503 while it drains
// GET /v1/health      what it is and does
// GET /metrics        the same for Prometheus
// GET /openapi.json   this API (OpenAPI 3.1)
std::vector<Route> InfoRoutes(InfoSources given);

// The text of /openapi.json.
std::string_view OpenApiText();

}  // namespace casemate::http
