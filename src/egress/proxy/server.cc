#include "egress/proxy/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <system_error>
#include <thread>

#include "base/descriptor_message.h"
#include "egress/proxy/connection.h"

namespace casemate::egress {
namespace {

// How often it is looked whether a client has gone when there may be no more of them.
constexpr int kLookMs = 20;

// Whether clients come as descriptors.
bool AreHanded(int listener) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

// The next client, or -errno; -EPIPE when none comes any more.
int TakeClient(int listener, bool handed) {
  if (!handed) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd >= 0 ? fd : -errno;
  }
  std::array<std::byte, 1> word{};
  int fd = -1;
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(listener, word, {&fd, 1}, count, MSG_DONTWAIT);
  if (got == 0) return -EPIPE;
  if (got < 0) return static_cast<int>(got);
  return count == 1 ? fd : -EAGAIN;
}

}  // namespace

bool Server::AtMost() {
  const std::lock_guard lock(mutex_);
  return clients_.size() >= static_cast<std::size_t>(shared_.settings.limits.connections_max);
}

void Server::Serve(int listener, int control) {
  const bool handed = AreHanded(listener);
  for (;;) {
    const bool full = AtMost();
    std::array<pollfd, 2> entries = {pollfd{full ? -1 : listener, POLLIN, 0}, pollfd{control, POLLIN, 0}};
    const int ready = poll(entries.data(), entries.size(), full ? kLookMs : -1);
    if (ready < 0 && errno != EINTR) return;
    if (entries[1].revents != 0) {
      // The program is over. Who has come before is heard still: what it asked for last is told, too.
      pollfd waiting{listener, POLLIN, 0};
      while (!AtMost() && poll(&waiting, 1, 0) > 0) {
        const int fd = TakeClient(listener, handed);
        if (fd < 0) return;
        Begin(fd);
      }
      return;
    }
    if (ready <= 0 || entries[0].revents == 0) continue;
    const int fd = TakeClient(listener, handed);
    if (fd >= 0) Begin(fd);
    if (fd == -EPIPE) listener = -1;
    // Out of descriptors: until some are free again. One that was handed over meanwhile is lost (EMSGSIZE).
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -EMSGSIZE)
      std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
  }
}

void Server::Begin(int fd) {
  {
    const std::lock_guard lock(mutex_);
    clients_.insert(fd);
  }
  const auto end = [this](int client) {
    const std::lock_guard lock(mutex_);
    clients_.erase(client);
    close(client);
    changed_.notify_all();
  };
  try {
    std::thread([this, fd, end] {
      try {
        ServeClient(fd, shared_);
      } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
        // Out of memory for this client; others go on.
      }
      end(fd);
    }).detach();
  } catch (const std::system_error&) {
    end(fd);
  }
}

bool Server::Stop(std::int64_t wait_ms) {
  std::unique_lock lock(mutex_);
  for (const int fd : clients_) shutdown(fd, SHUT_RDWR);
  return changed_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] { return clients_.empty(); });
}

}  // namespace casemate::egress
