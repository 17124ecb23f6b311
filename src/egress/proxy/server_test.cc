#include "egress/proxy/server.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <utility>

#include "base/descriptor_message.h"
#include "base/unique_fd.h"

namespace casemate::egress {
namespace {

using testing::StartsWith;

class NoNames : public Resolver {
 public:
  std::vector<Address> Resolve(const std::string& /*name*/) override { return {}; }
};

std::pair<UniqueFd, UniqueFd> Pair(int type) {
  std::array<int, 2> fds{};
  EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// A server to which clients are handed over, in a thread.
class Handed {
 public:
  Handed() {
    auto [ours, theirs] = Pair(SOCK_SEQPACKET);
    handover = std::move(ours);
    listener_ = std::move(theirs);
    thread_ = std::thread([this] {
      server_.Serve(listener_.get(), control_.get());
      clockid_t clock{};
      timespec used{};
      pthread_getcpuclockid(pthread_self(), &clock);
      clock_gettime(clock, &used);
      used_ms = used.tv_sec * 1000 + used.tv_nsec / 1'000'000;
    });
  }
  ~Handed() { End(); }

  void End() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    EXPECT_EQ(write(control_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    thread_.join();
    server_.Stop(1000);
  }

  // The client's end.
  UniqueFd HandOver() const {
    auto [ours, theirs] = Pair(SOCK_STREAM | SOCK_NONBLOCK);
    const std::array<std::byte, 1> word{};
    const int fd = theirs.get();
    EXPECT_EQ(SendDescriptors(handover.get(), word, {&fd, 1}), 0);
    return std::move(ours);
  }

  UniqueFd handover;
  std::int64_t used_ms = 0;

 private:
  UniqueFd listener_;
  UniqueFd control_{eventfd(0, EFD_CLOEXEC)};
  NetworkPolicy network_{.allow = {{"a.example", {}, {}}}, .hosts = {}, .limits = {}};
  ProxySettings settings_{*Allowlist::Make(network_), network_.limits, {1000, 1000, 1000, 1000}};
  NoNames resolver_;
  Journal journal_{[](const ToldAttempt& /*told*/) {}};
  Dialer dialer_{settings_, resolver_, journal_};
  Meter meter_{settings_.limits};
  Broker broker_{{}};
  Server server_{{settings_, dialer_, journal_, meter_, broker_, nullptr, nullptr}};
  std::thread thread_;
};

std::string Answer(const UniqueFd& client, std::string_view request) {
  EXPECT_EQ(send(client.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  pollfd entry{client.get(), POLLIN, 0};
  EXPECT_EQ(poll(&entry, 1, 5000), 1);
  std::array<char, 4096> bytes{};
  const ssize_t count = recv(client.get(), bytes.data(), bytes.size(), 0);
  return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

TEST(ServerTest, ServesClientsThatAreHandedOver) {
  const Handed server;
  const UniqueFd first = server.HandOver();
  const UniqueFd second = server.HandOver();
  const std::string request = "GET http://no.example/ HTTP/1.1\r\nHost: no.example\r\n\r\n";
  EXPECT_THAT(Answer(second, request), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Answer(first, request), StartsWith("HTTP/1.1 403"));
}

TEST(ServerTest, AWordWithoutAClientIsNone) {
  const Handed server;
  EXPECT_EQ(SendDescriptors(server.handover.get(), std::array<std::byte, 1>{}, {}), 0);
  const UniqueFd client = server.HandOver();
  EXPECT_THAT(Answer(client, "nothing\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST(ServerTest, WaitsQuietlyWhenNobodyHandsOverAnyMore) {
  Handed server;
  server.handover.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  server.End();
  EXPECT_LT(server.used_ms, 100);
}

}  // namespace
}  // namespace casemate::egress
