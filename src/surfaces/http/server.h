#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <thread>

#include "base/unique_fd.h"
#include "surfaces/http/connection.h"
#include "surfaces/http/handler.h"
#include "surfaces/http/socket.h"
#include "surfaces/http/tcp.h"
#include "surfaces/http/wire.h"

namespace casemate::http {

// Makes the wire of an accepted TCP connection; null when it cannot.
using WireMaker = std::function<std::unique_ptr<Wire>(int fd)>;

// Accepts peers at a unix socket, those of this user and of root alone, and at a TCP address, where the
// handler decides who is let in; serves each on a thread of its own.
class Server {
 public:
  // `handler` must outlive it.
  Server(Listener listener, Handler& handler, const ServerLimits& limits = {});

  // Before Serve(). `wrap` none: bytes as they are.
  void Listen(TcpListener tcp, WireMaker wrap = nullptr);

  // Serves until `stop_fd` is readable. Then nobody can connect and no run begins, those that run have
  // `drain_ms` to end and are cancelled then, and all connections are closed. Once in a server's life.
  void Serve(int stop_fd, std::int64_t drain_ms);

 private:
  struct Peer {
    UniqueFd fd;
    std::unique_ptr<Wire> wire;
    PeerInfo info;
    bool turned_away = false;  // there was no room: it is told so, and no request of it is read
    std::atomic<bool> busy = false;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  std::size_t CountAt(bool networked, bool turned_away) const;
  bool HasRoom(bool networked) const;
  // Whether one more can be served there, or at least be told that it cannot.
  bool MayAccept(bool networked) const;
  void AcceptLocal();
  void AcceptTcp();
  UniqueFd Accept(int listener);
  void Begin(UniqueFd fd, std::unique_ptr<Wire> wire, PeerInfo info);
  void Reap();
  void Drain(std::int64_t drain_ms);
  void WaitForPeers(std::int64_t ms);
  template <typename Which>
  void Shutdown(int how, const Which& which);

  Listener listener_;
  std::optional<TcpListener> tcp_;
  WireMaker wrap_;
  Handler& handler_;
  const ServerLimits limits_;
  UniqueFd peer_done_;  // an eventfd
  std::list<Peer> peers_;
};

}  // namespace casemate::http
