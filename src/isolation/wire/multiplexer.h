#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "isolation/wire/wire.h"

namespace casemate {

// One end of the connections that a sandbox and the engine carry over their wire (the theory is in
// multiplexer.cc). Each has a number, and a stream socket at either end; what one end reads from its own, the
// other writes into its own. Never blocks on a socket, holds at most kConnectionWindow bytes for each, and
// takes any bytes from the other end. The attendant's end and the engine's are the same code. One thread.
class Multiplexer {
 public:
  using Number = std::uint16_t;
  // How a side names its frames. Those of kConnection are made and heard by whoever begins one.
  struct Words {
    Wire piece;
    Wire taken;
    Wire closed;
  };
  static constexpr Words kOfAttendant{Wire::kFrom, Wire::kFromTaken, Wire::kFromClosed};
  static constexpr Words kOfEngine{Wire::kTo, Wire::kToTaken, Wire::kToClosed};
  using Say = std::function<void(Wire, std::string_view payload)>;

  // At most `connections_max` at one time, 1 to kConnectionsMax. `say` puts a frame on the wire.
  Multiplexer(std::size_t connections_max, const Words& own, const Words& others, Say say);

  // A number that no connection has; none when there are as many as there may be.
  std::optional<Number> Free() const;
  bool IsFree(Number number) const { return number < connections_.size() && !connections_[number].in_use; }
  // Begins the connection, whose number is free. A socket that is not valid: it is closed at once.
  void Open(Number number, UniqueFd socket);

  // A frame of the other end. False from one on that no honest end sends; nothing is to be called after it.
  bool Hear(Wire kind, std::string_view payload);

  // Appends what poll(2) is to watch now.
  void Watch(std::vector<pollfd>& entries);
  // What poll(2) said of that; `entries` begins where Watch() did.
  void Serve(const pollfd* entries);

  // As payload, in front of whatever follows: little-endian.
  static std::string Encode(Number number);
  static std::optional<Number> TakeNumber(std::string_view& payload);

 private:
  struct Connection {
    bool in_use = false;
    UniqueFd socket;
    std::string waiting;                   // for the socket
    std::size_t room = kConnectionWindow;  // what may still be sent and is not told as taken
    bool read_ended = false;               // and said
    bool write_ended = false;              // heard
    bool shut = false;                     // and passed on to the socket
    bool deaf = false;                     // the socket takes nothing any more
    bool said_closed = false;
    bool heard_closed = false;
  };

  void Read(Number number);
  void Write(Number number);
  void Close(Number number);
  void FreeIfOver(Connection& connection);
  void TellTaken(Number number, std::size_t count);
  bool HearPiece(Number number, std::string_view bytes);
  static bool WantsRead(const Connection& connection);

  std::vector<Connection> connections_;  // by number
  std::vector<Number> watched_;
  Words own_;
  Words others_;
  Say say_;
};

}  // namespace casemate
