// Theory of operation: a connection over the wire.
//
//   program --TCP--> attendant ==== frames of the wire ==== engine --unix socket--> egress proxy
//
//   opened  N         the attendant has taken one; N is a number that is free
//   piece   N bytes   what a side has read; none: nothing more will come from its socket
//   taken   N count   so many of the other side's bytes are in the socket
//   closed  N         a side has no socket any more and says nothing further of N
//
// N is free at a side once that has said and heard `closed`. A side has at most kConnectionWindow bytes on
// the way that were not told as taken, so that the other never holds more, however slow its socket is: then
// it stops reading its own, and the kernel holds up whoever writes there. One end alone of a connection may
// end (a client that has sent its request and waits); what was sent before `closed` still arrives, if that
// side had said that nothing more comes, and is thrown away if not: then the connection was broken off.
#include "isolation/wire/multiplexer.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace casemate {
namespace {

// A slice of the wire; so that many connections take turns.
constexpr std::size_t kPieceMax = std::size_t{16} * 1024;
constexpr std::size_t kCountBytes = 4;
constexpr short kOver = POLLHUP | POLLERR;

bool IsTransient(int err) { return err == EAGAIN || err == EINTR; }

}  // namespace

std::string Multiplexer::Encode(Number number) {
  return {static_cast<char>(number & 0xff), static_cast<char>(number >> 8)};
}

std::optional<Multiplexer::Number> Multiplexer::TakeNumber(std::string_view& payload) {
  if (payload.size() < sizeof(Number)) return std::nullopt;
  const auto low = static_cast<unsigned char>(payload[0]);
  const auto high = static_cast<unsigned char>(payload[1]);
  payload.remove_prefix(sizeof(Number));
  return static_cast<Number>(low | high << 8);
}

Multiplexer::Multiplexer(std::size_t connections_max, const Words& own, const Words& others, Say say)
    : connections_(std::clamp<std::size_t>(connections_max, 1, kConnectionsMax)),
      own_(own),
      others_(others),
      say_(std::move(say)) {}

std::optional<Multiplexer::Number> Multiplexer::Free() const {
  const auto free = std::ranges::find(connections_, false, &Connection::in_use);
  if (free == connections_.end()) return std::nullopt;
  return static_cast<Number>(free - connections_.begin());
}

void Multiplexer::Open(Number number, UniqueFd socket) {
  Connection& connection = connections_[number];
  connection = Connection();
  connection.in_use = true;
  connection.socket = std::move(socket);
  if (!connection.socket.valid()) Close(number);
}

bool Multiplexer::Hear(Wire kind, std::string_view payload) {
  const auto number = TakeNumber(payload);
  if (!number || *number >= connections_.size()) return false;
  Connection& connection = connections_[*number];
  if (!connection.in_use || connection.heard_closed) return false;
  if (kind == others_.piece) return HearPiece(*number, payload);
  if (kind == others_.taken) {
    if (payload.size() != kCountBytes) return false;
    std::size_t count = 0;
    for (std::size_t i = 0; i < kCountBytes; ++i)
      count |= static_cast<std::size_t>(static_cast<unsigned char>(payload[i])) << (8 * i);
    if (count > kConnectionWindow - connection.room) return false;
    connection.room += count;
    return true;
  }
  if (kind != others_.closed || !payload.empty()) return false;
  connection.heard_closed = true;
  if (!connection.write_ended) connection.waiting.clear();
  if (connection.waiting.empty()) Close(*number);
  FreeIfOver(connection);
  return true;
}

bool Multiplexer::HearPiece(Number number, std::string_view bytes) {
  Connection& connection = connections_[number];
  if (connection.write_ended || bytes.size() > kConnectionWindow - connection.waiting.size()) return false;
  if (bytes.empty()) connection.write_ended = true;
  if (connection.said_closed) return true;
  connection.waiting += bytes;
  Write(number);
  return true;
}

// A connection whose socket can be neither read nor written now would wake poll(2) by its hang-up again and
// again, so it is left out. Once all was read, the hang-up itself is waited for.
void Multiplexer::Watch(std::vector<pollfd>& entries) {
  watched_.clear();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const Connection& connection = connections_[i];
    if (!connection.in_use || !connection.socket.valid()) continue;
    const bool reads = WantsRead(connection);
    const bool writes = !connection.waiting.empty();
    if (!reads && !writes && !connection.read_ended) continue;
    const int events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0);
    entries.push_back({connection.socket.get(), static_cast<short>(events), 0});
    watched_.push_back(static_cast<Number>(i));
  }
}

void Multiplexer::Serve(const pollfd* entries) {
  for (const Number number : watched_) {
    const pollfd entry = *entries++;
    const Connection& connection = connections_[number];
    // One that was closed meanwhile.
    if (entry.revents == 0 || connection.socket.get() != entry.fd) continue;
    if (!connection.waiting.empty()) Write(number);
    if (WantsRead(connection)) Read(number);
    if (connection.socket.valid() && connection.read_ended && (entry.revents & kOver) != 0) Close(number);
  }
}

bool Multiplexer::WantsRead(const Connection& connection) {
  return connection.socket.valid() && !connection.read_ended && !connection.heard_closed &&
         connection.room > 0;
}

void Multiplexer::Read(Number number) {
  Connection& connection = connections_[number];
  std::array<char, kPieceMax> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count =
      recv(connection.socket.get(), bytes.data(), std::min(connection.room, bytes.size()), MSG_DONTWAIT);
  if (count < 0 && IsTransient(errno)) return;
  if (count < 0) return Close(number);
  connection.room -= static_cast<std::size_t>(count);
  std::string piece = Encode(number);
  piece.append(bytes.data(), static_cast<std::size_t>(count));
  say_(own_.piece, piece);
  if (count > 0) return;
  connection.read_ended = true;
  if (connection.shut || connection.deaf) Close(number);
}

void Multiplexer::Write(Number number) {
  Connection& connection = connections_[number];
  std::size_t taken = 0;
  while (taken < connection.waiting.size() && !connection.deaf) {
    const ssize_t count = send(connection.socket.get(), connection.waiting.data() + taken,
                               connection.waiting.size() - taken, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    // What it has sent before may still be read.
    if (count < 0) connection.deaf = true;
    if (count > 0) taken += static_cast<std::size_t>(count);
  }
  if (connection.deaf) taken = connection.waiting.size();
  connection.waiting.erase(0, taken);
  if (taken > 0) TellTaken(number, taken);
  if (!connection.waiting.empty()) return;
  if (connection.write_ended && !connection.shut) {
    connection.shut = true;
    shutdown(connection.socket.get(), SHUT_WR);
  }
  if (connection.heard_closed || ((connection.shut || connection.deaf) && connection.read_ended))
    Close(number);
}

void Multiplexer::TellTaken(Number number, std::size_t count) {
  if (connections_[number].heard_closed) return;
  std::string payload = Encode(number);
  for (std::size_t i = 0; i < kCountBytes; ++i) payload += static_cast<char>(count >> (8 * i) & 0xff);
  say_(own_.taken, payload);
}

void Multiplexer::Close(Number number) {
  Connection& connection = connections_[number];
  connection.socket.reset();
  connection.waiting.clear();
  if (!connection.said_closed) {
    connection.said_closed = true;
    say_(own_.closed, Encode(number));
  }
  FreeIfOver(connection);
}

void Multiplexer::FreeIfOver(Connection& connection) {
  if (connection.said_closed && connection.heard_closed) connection.in_use = false;
}

}  // namespace casemate
