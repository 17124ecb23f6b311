#pragma once

#include <poll.h>

#include <array>
#include <cstddef>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/network.h"
#include "isolation/wire/multiplexer.h"
#include "isolation/wire/wire_reader.h"

namespace casemate {

// The engine's end of a program's connections: hands each of them to the egress proxy as a unix socket, and
// moves bytes between that and the wire. Decides nothing; any bytes of a sandbox are safe. One thread.
class Connections {
 public:
  // Where connections are handed over: a SOCK_SEQPACKET socket and its other end, which goes to the proxy.
  struct Handover {
    UniqueFd ours;
    UniqueFd theirs;
  };
  static Expected<Handover> MakeHandover();

  Connections(UniqueFd handover, const NetworkLimits& limits, Multiplexer::Say say)
      : handover_(std::move(handover)),
        multiplexer_(static_cast<std::size_t>(limits.connections_max), Multiplexer::kOfEngine,
                     Multiplexer::kOfAttendant, std::move(say)) {}

  static bool IsOf(Wire kind);
  // False for a frame of these kinds that no attendant of ours sends.
  bool Hear(const WireFrame& frame);
  void Watch(std::vector<pollfd>& entries) { multiplexer_.Watch(entries); }
  void Serve(const pollfd* entries) { multiplexer_.Serve(entries); }

 private:
  // Not valid where the proxy has gone or takes no more.
  UniqueFd HandOver() const;

  UniqueFd handover_;
  Multiplexer multiplexer_;
};

}  // namespace casemate
