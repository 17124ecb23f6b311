#pragma once

#include <vector>

#include "surfaces/http/router.h"

namespace casemate::http {

// What needs no engine:
//
// POST /v1/checks  {"code", "allowed_packages"?, "complexity"?}: what the checks find, without running it
// POST /v1/redact  {"text", "redact"?, "redact_off"?, "redact_rules"?}: the text without its secrets, and
// where they were
std::vector<Route> ToolRoutes();

}  // namespace casemate::http
