#pragma once

#include <string>

#include "egress/proxy/dialer.h"
#include "egress/proxy/forward.h"
#include "egress/proxy/stream.h"

namespace casemate::egress {

// What a tunnel's client says first.
enum class Opening {
  kHttp,      // a request in the clear: it is passed on as one
  kLookInto,  // TLS whose requests have to be seen
  kOther,     // may be carried as it is
  kRefused,   // was told to the journal
  kGone,
};

// Looks at the first bytes of a client, which stay in `buffer`, before any of them goes anywhere. TLS must
// ask for the name of the tunnel; on ports 80 and 443 nothing but TLS and HTTP is let through. While the
// client says nothing, what the server says is passed on.
Opening OpenTunnel(Stream& client, const Dialed& server, const Destination& to, std::string& buffer,
                   Shared shared);

// Carries bytes both ways, by splice(2) where the kernel can, until both ends have closed, nothing moves for
// the patience's idle_ms, or the meter ends it. `buffer` goes first.
void CarryTunnel(int client, const Dialed& server, const Destination& to, const std::string& buffer,
                 Shared shared);

}  // namespace casemate::egress
