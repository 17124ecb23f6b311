#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "egress/proxy/forward.h"

namespace casemate::egress {

// Accepts the clients of one run, each in a thread of its own. As many as the run may have connections; more
// wait in the listener's queue.
class Server {
 public:
  explicit Server(Shared shared) : shared_(shared) {}
  // Every client must be gone: see Stop().
  ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes clients until `control` is readable or at its end: from `listener`, which does not block, or where
  // that is a SOCK_SEQPACKET socket, those that come over it as descriptors, a byte with each.
  void Serve(int listener, int control);
  // Cuts all clients off and waits until their threads have noted what they moved; false when some have not
  // after `wait_ms`, which may use this for ever.
  bool Stop(std::int64_t wait_ms);

 private:
  void Begin(int fd);
  bool AtMost();

  Shared shared_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> clients_;
};

}  // namespace casemate::egress
