// link: isolation_wire base
// What a hostile sandbox says of its connections, to the engine's end of them, while a proxy behind them
// reads, writes, ends and breaks off as it likes. Nothing more is ever sent than was told as taken, nothing
// is said of a connection that was closed, and what was told as taken is what came.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/descriptor_message.h"
#include "isolation/wire/connections.h"

namespace {

using casemate::Connections;
using casemate::kConnectionWindow;
using casemate::Multiplexer;
using casemate::UniqueFd;
using casemate::Wire;

void Require(bool holds) {
  if (!holds) std::abort();
}

// What the sandbox knows of one number.
struct Peer {
  std::size_t heard = 0;  // bytes that came and were not told as taken
  std::size_t said = 0;   // bytes that it sent and were not told as taken
  bool engine_ended = false;
  bool engine_closed = false;
};

class Sandbox {
 public:
  Sandbox() {
    auto handover = Connections::MakeHandover();
    Require(handover.has_value());
    theirs_ = std::move(handover->theirs);
    casemate::NetworkLimits limits;
    limits.connections_max = kConnections;
    connections_.emplace(std::move(handover->ours), limits,
                         [this](Wire kind, std::string_view payload) { Hear(kind, payload); });
  }

  // False when the engine has had enough of it.
  bool Say(Wire kind, std::string_view payload) {
    std::string_view rest = payload;
    const auto number = Multiplexer::TakeNumber(rest);
    if (number && kind == Wire::kOpened) peers_[*number] = Peer();
    if (number && kind == Wire::kFrom) peers_[*number].said += rest.size();
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rest.size() && i < 4; ++i)
      taken |= static_cast<std::size_t>(static_cast<unsigned char>(rest[i])) << (8 * i);
    // Before it is said: what comes of it is among what is heard at once.
    Peer before;
    if (number && kind == Wire::kFromTaken) {
      before = peers_[*number];
      peers_[*number].heard -= std::min(taken, before.heard);
    }
    const bool good = connections_->Hear({kind, std::string(payload)});
    if (good && kind == Wire::kFromTaken) Require(taken <= before.heard);
    return good;
  }

  void Turn() {
    std::vector<pollfd> entries;
    connections_->Watch(entries);
    Require(entries.size() <= kConnections);
    if (poll(entries.data(), entries.size(), 0) > 0) connections_->Serve(entries.data());
  }

  // The proxy.
  void Take() {
    std::array<std::byte, 1> word{};
    int fd = -1;
    std::size_t count = 0;
    if (casemate::ReceiveDescriptors(theirs_.get(), word, {&fd, 1}, count, MSG_DONTWAIT) == 1 && count == 1)
      clients_.emplace_back(fd);
  }
  void Act(std::uint8_t what, std::size_t which) {
    if (clients_.empty()) return;
    UniqueFd& client = clients_[which % clients_.size()];
    std::array<char, 20'000> bytes{};
    if (what == 0) (void)!recv(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (what == 1) (void)!send(client.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (what == 2) shutdown(client.get(), SHUT_WR);
    if (what == 3) client.reset();
  }

 private:
  static constexpr std::int64_t kConnections = 3;

  void Hear(Wire kind, std::string_view payload) {
    const auto number = Multiplexer::TakeNumber(payload);
    Require(number && *number < kConnections);
    Peer& peer = peers_[*number];
    Require(!peer.engine_closed);
    if (kind == Wire::kTo) {
      Require(!peer.engine_ended);
      peer.engine_ended = payload.empty();
      peer.heard += payload.size();
      Require(peer.heard <= kConnectionWindow);
    } else if (kind == Wire::kToTaken) {
      Require(payload.size() == 4);
      std::size_t count = 0;
      for (std::size_t i = 0; i < 4; ++i)
        count |= static_cast<std::size_t>(static_cast<unsigned char>(payload[i])) << (8 * i);
      Require(count > 0 && count <= peer.said);
      peer.said -= count;
    } else {
      Require(kind == Wire::kToClosed && payload.empty());
      peer.engine_closed = true;
    }
  }

  UniqueFd theirs_;
  std::optional<Connections> connections_;
  std::map<Multiplexer::Number, Peer> peers_;
  std::vector<UniqueFd> clients_;
};

}  // namespace

// An action a byte: the low three bits say what, the rest which connection or client; those that speak have a
// length and the payload behind them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Sandbox sandbox;
  constexpr std::array kKinds = {Wire::kOpened, Wire::kFrom, Wire::kFromTaken, Wire::kFromClosed};
  for (std::size_t at = 0; at < size;) {
    const std::uint8_t action = data[at++];
    const unsigned what = action & 7U;
    const unsigned which = action >> 3U;
    if (what >= kKinds.size()) {
      sandbox.Take();
      sandbox.Act(static_cast<std::uint8_t>(what - kKinds.size()), which);
      sandbox.Turn();
      continue;
    }
    std::string payload = Multiplexer::Encode(static_cast<Multiplexer::Number>(which & 3U));
    const std::size_t length = at < size ? data[at++] : 0;
    if ((which & 4U) != 0) {
      payload += std::string(length * 300, 'x');
    } else {
      const std::size_t count = std::min(length, size - at);
      payload.append(reinterpret_cast<const char*>(data) + at, count);
      at += count;
    }
    if (!sandbox.Say(kKinds[what], payload)) return 0;
    sandbox.Turn();
  }
  return 0;
}
