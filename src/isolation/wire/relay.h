#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/network.h"
#include "isolation/wire/connections.h"
#include "isolation/wire/wire_reader.h"

namespace casemate {

// The engine's end of a wire that carries connections and nothing else, in a thread of its own. Any bytes of
// the sandbox are safe: what its end says that no honest one does, ends its network.
class Relay {
 public:
  // The pipes do not block. Connections are handed over on `handover` (Connections::Handover::ours).
  Relay(UniqueFd in, UniqueFd out, UniqueFd handover, const NetworkLimits& limits);
  ~Relay() { Finish(); }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Takes what the sandbox has written already, as far as that needs no waiting, and closes all connections.
  void Finish();

 private:
  void Run();
  void Turn();
  // False when nothing more is to be read: for now, or for ever.
  bool ReadOnce();
  void WriteOut();

  WireReader reader_{Layers::kBare};
  std::string outgoing_;
  UniqueFd in_;
  UniqueFd out_;
  std::optional<Connections> connections_;
  UniqueFd finish_event_;
  std::atomic<bool> finishing_ = false;
  bool over_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace casemate
