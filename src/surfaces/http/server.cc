#include "surfaces/http/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <system_error>

#include "base/clock.h"

namespace casemate::http {
namespace {

// Between two tries when the process has no descriptor left for a peer.
constexpr int kNoDescriptorMs = 50;
// What a cancelled run has to end, and its peer to read the answer.
constexpr std::int64_t kCancelMs = 5000;
// Peers that are being told at one time, at each place to listen, that there is no room for them. Others wait
// in the listener's queue, which is an answer that comes later, and not a refused connection.
constexpr std::size_t kTurnedAwayMax = 64;

int Poll(std::span<pollfd> entries, std::int64_t timeout_ms) {
  return ::poll(entries.data(), entries.size(), static_cast<int>(timeout_ms));
}

}  // namespace

Server::Server(Listener listener, Handler& handler, const ServerLimits& limits)
    : listener_(std::move(listener)),
      handler_(handler),
      limits_(limits),
      peer_done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Server::Listen(TcpListener tcp, WireMaker wrap) {
  tcp_.emplace(std::move(tcp));
  wrap_ = std::move(wrap);
}

void Server::Serve(int stop_fd, std::int64_t drain_ms) {
  for (;;) {
    // poll(2) passes over a negative descriptor.
    std::array entries{pollfd{stop_fd, POLLIN, 0}, pollfd{peer_done_.get(), POLLIN, 0},
                       pollfd{MayAccept(false) ? listener_.fd() : -1, POLLIN, 0},
                       pollfd{tcp_ && MayAccept(true) ? tcp_->fd() : -1, POLLIN, 0}};
    if (Poll(entries, -1) < 0 && errno != EINTR) break;
    if (entries[0].revents != 0) break;
    if (entries[1].revents != 0) Reap();
    if (entries[2].revents != 0) AcceptLocal();
    if (entries[3].revents != 0) AcceptTcp();
  }
  Drain(drain_ms);
}

// Those who come over a network must not keep this host's own user out.
std::size_t Server::CountAt(bool networked, bool turned_away) const {
  return static_cast<std::size_t>(std::ranges::count_if(peers_, [=](const Peer& peer) {
    return peer.info.networked == networked && peer.turned_away == turned_away;
  }));
}

bool Server::HasRoom(bool networked) const { return CountAt(networked, false) < limits_.connections_max; }

bool Server::MayAccept(bool networked) const {
  return HasRoom(networked) || CountAt(networked, true) < kTurnedAwayMax;
}

UniqueFd Server::Accept(int listener) {
  UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid() && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
    std::array entry{pollfd{peer_done_.get(), POLLIN, 0}};
    Poll(entry, kNoDescriptorMs);
  }
  return fd;
}

void Server::AcceptLocal() {
  UniqueFd fd = Accept(listener_.fd());
  if (!fd.valid()) return;
  const auto uid = PeerUid(fd.get());
  if (!uid || (*uid != 0 && *uid != ::geteuid())) return;
  auto wire = std::make_unique<PlainWire>(fd.get());
  PeerInfo info = LocalPeer(fd.get());
  Begin(std::move(fd), std::move(wire), std::move(info));
}

void Server::AcceptTcp() {
  UniqueFd fd = Accept(tcp_->fd());
  if (!fd.valid()) return;
  TuneConnection(fd.get());
  auto wire = wrap_ ? wrap_(fd.get()) : std::make_unique<PlainWire>(fd.get());
  if (wire == nullptr) return;
  PeerInfo info{PeerAddress(fd.get()), false, true};
  Begin(std::move(fd), std::move(wire), std::move(info));
}

void Server::Begin(UniqueFd fd, std::unique_ptr<Wire> wire, PeerInfo info) {
  const bool room = HasRoom(info.networked);
  Peer& peer = peers_.emplace_back();
  peer.turned_away = !room;
  peer.fd = std::move(fd);
  peer.wire = std::move(wire);
  peer.info = std::move(info);
  try {
    peer.thread = std::thread([this, &peer] {
      if (peer.turned_away) {
        TurnAway(*peer.wire);
      } else {
        ServeConnection(*peer.wire, peer.info, handler_, limits_, peer.busy);
      }
      // The peer must not wait for its end of file until somebody joins.
      ::shutdown(peer.fd.get(), SHUT_RDWR);
      peer.done = true;
      const std::uint64_t one = 1;
      (void)!::write(peer_done_.get(), &one, sizeof one);
    });
  } catch (const std::system_error&) {
    // No thread either: it is not waited for whether the peer has read that.
    TurnAway(*peer.wire, 0);
    peers_.pop_back();
  }
}

void Server::Reap() {
  std::uint64_t count = 0;
  (void)!::read(peer_done_.get(), &count, sizeof count);
  std::erase_if(peers_, [](Peer& peer) {
    if (!peer.done) return false;
    peer.thread.join();
    return true;
  });
}

template <typename Which>
void Server::Shutdown(int how, const Which& which) {
  for (Peer& peer : peers_) {
    if (!peer.done && which(peer)) ::shutdown(peer.fd.get(), how);
  }
}

void Server::WaitForPeers(std::int64_t ms) {
  const Deadline deadline = Deadline::After(ms);
  for (;;) {
    Reap();
    if (peers_.empty() || deadline.Passed()) return;
    std::array entry{pollfd{peer_done_.get(), POLLIN, 0}};
    Poll(entry, deadline.RemainingMs());
  }
}

void Server::Drain(std::int64_t drain_ms) {
  listener_.Close();
  if (tcp_) tcp_->Close();
  handler_.BeginDrain();
  // Whoever becomes busy after this look finds the handler draining.
  Shutdown(SHUT_RD, [](const Peer& peer) { return !peer.busy; });
  WaitForPeers(drain_ms);
  // To a run this is its peer hanging up: it is cancelled, and says so in its answer.
  Shutdown(SHUT_RD, [](const Peer&) { return true; });
  handler_.CancelAll();
  WaitForPeers(kCancelMs);
  Shutdown(SHUT_RDWR, [](const Peer&) { return true; });
  for (Peer& peer : peers_) peer.thread.join();
  peers_.clear();
}

}  // namespace casemate::http
