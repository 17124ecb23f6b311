#pragma once

#include "egress/proxy/forward.h"

namespace casemate::egress {

// Serves one client of the proxy to its end: HTTP requests, CONNECT or SOCKS5, told apart by the first byte.
// `client` is a connected socket that does not block; not owned.
void ServeClient(int client, Shared shared);

}  // namespace casemate::egress
