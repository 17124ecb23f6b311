#pragma once

#include <poll.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "isolation/wire/multiplexer.h"

namespace casemate {

// The program's only way out, at the attendant's end: takes connections on the loopback and carries them over
// the wire. What may be reached is decided by the egress proxy at the other end. Where there is no network,
// nothing listens.
class EgressListener {
 public:
  // Listens, where `connections_max` is not 0. What cannot be done ends the attendant with its reason.
  explicit EgressListener(std::size_t connections_max);
  // Somebody else has made `listener`, which does not block.
  EgressListener(UniqueFd listener, std::size_t connections_max);

  bool Hear(Wire kind, std::string_view payload) { return multiplexer_ && multiplexer_->Hear(kind, payload); }
  void Watch(std::vector<pollfd>& entries);
  void Serve(const pollfd* entries);
  // The program is over: what it sent last still goes out, as far as that needs no longer waiting than this
  // for each turn.
  void Drain(int quiet_ms = 0);

 private:
  void Carry(std::size_t connections_max);
  void Accept();

  UniqueFd listener_;
  std::optional<Multiplexer> multiplexer_;
};

}  // namespace casemate
