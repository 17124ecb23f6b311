#pragma once

#include <string>

#include "casemate/session.h"
#include "surfaces/http/exchange.h"
#include "surfaces/http/runs.h"

namespace casemate::http {

// Answers with a stream of what changes at `path` of a session's workspace, until its peer hangs up, the
// session or the path is gone, or the engine drains. A folder is watched with what it holds directly, a file
// by itself. It is looked at twice a second: a change is told within half a second, and one that is undone
// before, or leaves size, time and kind as they were, is not told. A session that is watched is not idle.
//
//   watching  {"path", "interval_ms"}                  first
//   change    {"change": "created" | "changed" | "removed", "entry": {"name", "kind", …}}
//   alive     {}                                       every fifteen seconds without a change
//   end       {"reason"}                               last, unless the peer is gone
//
// The form is that of a run's events (event_stream.h); server-sent events where Accept asks for neither.
void WatchFiles(Runs& runs, Sessions& sessions, const Request& asked, const std::string& path, Reply& reply);

}  // namespace casemate::http
