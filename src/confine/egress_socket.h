#pragma once

namespace casemate {

// In the calling thread's network namespace, whose one interface is the loopback, still down: brings that up
// and listens on 127.0.0.1 at `port`. Needs CAP_NET_ADMIN there. The descriptor (close-on-exec, not blocking)
// or -errno. Async-signal-safe.
int ListenOnLoopback(int port);

}  // namespace casemate
