#include "isolation/wire/inside/egress_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "casemate/network.h"
#include "isolation/wire/inside/channel.h"

namespace casemate {
namespace {

constexpr int kBacklog = 512;
constexpr const char* kWhat = "open the way to the egress proxy";

}  // namespace

EgressListener::EgressListener(std::size_t connections_max) {
  if (connections_max == 0) return;
  listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kEgressPort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!listener_.valid() ||
      bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_.get(), kBacklog) != 0)
    WireChannel::Fail(errno, kWhat);
  Carry(connections_max);
}

EgressListener::EgressListener(UniqueFd listener, std::size_t connections_max)
    : listener_(std::move(listener)) {
  Carry(connections_max);
}

void EgressListener::Carry(std::size_t connections_max) {
  multiplexer_.emplace(connections_max, Multiplexer::kOfAttendant, Multiplexer::kOfEngine, WireChannel::Send);
}

// More than there may be at one time wait in the listener's queue.
void EgressListener::Watch(std::vector<pollfd>& entries) {
  if (!multiplexer_) return;
  entries.push_back({multiplexer_->Free() ? listener_.get() : -1, POLLIN, 0});
  multiplexer_->Watch(entries);
}

void EgressListener::Serve(const pollfd* entries) {
  if (!multiplexer_) return;
  multiplexer_->Serve(entries + 1);
  if (entries->revents != 0) Accept();
}

void EgressListener::Accept() {
  const auto number = multiplexer_->Free();
  if (!number) return;
  UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  WireChannel::Send(Wire::kOpened, Multiplexer::Encode(*number));
  multiplexer_->Open(*number, std::move(socket));
}

void EgressListener::Drain(int quiet_ms) {
  if (!multiplexer_) return;
  // Each turn either takes a connection or uses up a window, and nobody opens another.
  constexpr int kTurnsMax = 4096;
  for (int turn = 0; turn < kTurnsMax; ++turn) {
    std::vector<pollfd> entries;
    Watch(entries);
    if (poll(entries.data(), entries.size(), quiet_ms) <= 0) return;
    Serve(entries.data());
  }
}

}  // namespace casemate
