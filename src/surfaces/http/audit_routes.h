#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/audit.h"
#include "surfaces/http/router.h"

namespace casemate::http {

// GET /v1/audit?since_us=&until_us=&status=&caller=&surface=&code_sha256=&denial=&id=&limit=
//   what ran, the oldest first: the last `limit` (100; at most 10,000) of those that match
//
// Reads the log in `state_dir`; every request opens it anew.
std::vector<Route> AuditRoutes(std::string state_dir);

// The filter that a query asks for; kInvalidRequest with one sentence.
Expected<AuditFilter> ParseAuditQuery(std::string_view query);

}  // namespace casemate::http
