#include "isolation/wire/multiplexer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "base/descriptor_message.h"
#include "isolation/wire/connections.h"

namespace casemate {
namespace {

using Number = Multiplexer::Number;

std::pair<UniqueFd, UniqueFd> Sockets() {
  std::array<int, 2> fds{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Both ends and the wire between them.
class Wires {
 public:
  explicit Wires(std::size_t connections_max = 4)
      : attendant_(connections_max, Multiplexer::kOfAttendant, Multiplexer::kOfEngine,
                   [this](Wire kind, std::string_view payload) { Say(to_engine_, kind, payload); }),
        engine_(connections_max, Multiplexer::kOfEngine, Multiplexer::kOfAttendant,
                [this](Wire kind, std::string_view payload) { Say(to_attendant_, kind, payload); }) {}

  // The program's end and the proxy's.
  std::pair<UniqueFd, UniqueFd> Connect() {
    auto [program, inner] = Sockets();
    auto [proxy, outer] = Sockets();
    const auto number = attendant_.Free();
    EXPECT_TRUE(number && engine_.IsFree(*number));
    attendant_.Open(*number, std::move(inner));
    engine_.Open(*number, std::move(outer));
    return {std::move(program), std::move(proxy)};
  }

  // Until nothing moves any more.
  void Settle() {
    constexpr int kTurnsMax = 100'000;
    for (int turn = 0; turn < kTurnsMax; ++turn) {
      const bool attendant_moved = Turn(attendant_);
      const bool engine_moved = Turn(engine_);
      if (!Deliver() && !attendant_moved && !engine_moved) return;
    }
    ADD_FAILURE() << "it goes on and on";
  }

  bool Deliver() {
    const bool any = !to_engine_.empty() || !to_attendant_.empty();
    Hear(engine_, to_engine_);
    Hear(attendant_, to_attendant_);
    return any;
  }

  Multiplexer& attendant() { return attendant_; }
  Multiplexer& engine() { return engine_; }
  std::size_t pieces_bytes() const { return pieces_bytes_; }

 private:
  struct Frame {
    Wire kind;
    std::string payload;
  };
  using Queue = std::deque<Frame>;

  void Say(Queue& queue, Wire kind, std::string_view payload) {
    if (kind == Wire::kFrom || kind == Wire::kTo) pieces_bytes_ += payload.size() - sizeof(Number);
    queue.push_back({kind, std::string(payload)});
  }

  static void Hear(Multiplexer& side, Queue& queue) {
    while (!queue.empty()) {
      const Frame frame = std::move(queue.front());
      queue.pop_front();
      EXPECT_TRUE(side.Hear(frame.kind, frame.payload)) << static_cast<char>(frame.kind);
    }
  }

  static bool Turn(Multiplexer& side) {
    std::vector<pollfd> entries;
    side.Watch(entries);
    if (poll(entries.data(), entries.size(), 0) <= 0) return false;
    side.Serve(entries.data());
    return true;
  }

  Queue to_engine_;
  Queue to_attendant_;
  std::size_t pieces_bytes_ = 0;
  Multiplexer attendant_;
  Multiplexer engine_;
};

void Write(const UniqueFd& fd, std::string_view bytes) {
  ASSERT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// As much as there is without waiting.
std::string Read(const UniqueFd& fd) {
  std::string all;
  std::array<char, 65536> bytes{};
  for (ssize_t count = 0; (count = recv(fd.get(), bytes.data(), bytes.size(), 0)) > 0;)
    all.append(bytes.data(), static_cast<std::size_t>(count));
  return all;
}

bool AtEnd(const UniqueFd& fd) {
  char byte = 0;
  return recv(fd.get(), &byte, 1, 0) == 0;
}

TEST(MultiplexerTest, CarriesARequestThatEndsAndItsAnswer) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  Write(program, "GET");
  shutdown(program.get(), SHUT_WR);
  wires.Settle();
  EXPECT_EQ(Read(proxy), "GET");
  EXPECT_TRUE(AtEnd(proxy));
  // The other direction stays open.
  Write(proxy, "answer");
  wires.Settle();
  EXPECT_EQ(Read(program), "answer");
  EXPECT_FALSE(AtEnd(program));
  proxy.reset();
  wires.Settle();
  EXPECT_TRUE(AtEnd(program));
  EXPECT_TRUE(wires.attendant().IsFree(0));
  EXPECT_TRUE(wires.engine().IsFree(0));
}

TEST(MultiplexerTest, CarriesManyBytesInOrder) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  std::string sent;
  std::string got;
  constexpr std::size_t kBytes = 3 << 20;
  while (got.size() < kBytes) {
    const std::string piece(10'007, static_cast<char>('a' + sent.size() % 26));
    if (sent.size() < kBytes &&
        send(proxy.get(), piece.data(), piece.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(piece.size()))
      sent += piece;
    wires.Settle();
    got += Read(program);
  }
  EXPECT_EQ(got, sent);
}

TEST(MultiplexerTest, HoldsAWindowForWhoDoesNotReadAndServesTheOthers) {
  Wires wires;
  auto [slow, slow_proxy] = wires.Connect();
  auto [quick, quick_proxy] = wires.Connect();
  // As small as the kernel makes it, so that little of what is sent can lie in the socket itself.
  const int bytes = 1;
  setsockopt(slow.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  std::size_t sent = 0;
  const std::string block(65'536, 'x');
  for (int i = 0; i < 100; ++i) {
    const ssize_t count = send(slow_proxy.get(), block.data(), block.size(), MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    wires.Settle();
  }
  // Two windows, what a socket takes at either end, and no more.
  constexpr std::size_t kSocketsBytes = std::size_t{2} << 20;
  EXPECT_LT(sent, kSocketsBytes + 2 * kConnectionWindow);
  EXPECT_LE(wires.pieces_bytes(), sent);
  Write(quick, "hello");
  wires.Settle();
  EXPECT_EQ(Read(quick_proxy), "hello");
  std::size_t got = 0;
  for (int i = 0; i < 1000 && got < sent; ++i) {
    got += Read(slow).size();
    wires.Settle();
  }
  EXPECT_EQ(got, sent);
}

TEST(MultiplexerTest, AClientThatGoesAwayFreesItsNumber) {
  Wires wires(2);
  for (int round = 0; round < 50; ++round) {
    auto [program, proxy] = wires.Connect();
    Write(proxy, std::string(30'000, 'x'));
    if (round % 2 == 0) wires.Settle();
    // With bytes that it has not read.
    program.reset();
    wires.Settle();
    proxy.reset();
    wires.Settle();
    ASSERT_TRUE(wires.attendant().IsFree(0)) << round;
    ASSERT_TRUE(wires.engine().IsFree(0)) << round;
  }
}

TEST(MultiplexerTest, AServerThatGoesAwayFreesTheNumberOfAClientThatStays) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  Write(proxy, "last words");
  proxy.reset();
  wires.Settle();
  EXPECT_TRUE(wires.attendant().IsFree(0));
  EXPECT_TRUE(wires.engine().IsFree(0));
  EXPECT_EQ(Read(program), "last words");
  EXPECT_TRUE(AtEnd(program));
}

TEST(MultiplexerTest, WhoIsRefusedInTheMiddleOfItsRequestReadsWhy) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  const std::string block(50'000, 'x');
  Write(program, block);
  wires.Settle();
  Write(proxy, "403");
  proxy.reset();
  Write(program, block);
  wires.Settle();
  EXPECT_EQ(Read(program), "403");
}

TEST(MultiplexerTest, HasNoMoreThanItMay) {
  Wires wires(2);
  auto first = wires.Connect();
  auto second = wires.Connect();
  EXPECT_FALSE(wires.attendant().Free());
  first.first.reset();
  first.second.reset();
  wires.Settle();
  EXPECT_EQ(wires.attendant().Free(), 0);
}

TEST(MultiplexerTest, BothDirectionsThatEndOneAfterTheOtherEndIt) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  shutdown(program.get(), SHUT_WR);
  wires.Settle();
  shutdown(proxy.get(), SHUT_WR);
  wires.Settle();
  EXPECT_TRUE(wires.engine().IsFree(0));
  EXPECT_TRUE(wires.attendant().IsFree(0));
}

TEST(MultiplexerTest, AHangUpBehindAFullWindowWakesNobody) {
  Wires wires;
  auto [program, proxy] = wires.Connect();
  const int bytes = 1;
  setsockopt(program.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  const std::string block(65'536, 'x');
  for (int i = 0; i < 100 && send(proxy.get(), block.data(), block.size(), MSG_NOSIGNAL) > 0; ++i)
    wires.Settle();
  proxy.reset();
  // Settle() itself fails when a turn finds something for ever.
  wires.Settle();
  EXPECT_FALSE(wires.engine().IsFree(0));
  for (int i = 0; i < 1000 && !wires.engine().IsFree(0); ++i) {
    Read(program);
    wires.Settle();
  }
  EXPECT_TRUE(wires.engine().IsFree(0));
}

// What a hostile sandbox may say of connection 0, which is open, at the engine's end.
class Hostile {
 public:
  Hostile() {
    auto [proxy, outer] = Sockets();
    proxy_ = std::move(proxy);
    engine_.Open(0, std::move(outer));
  }
  bool Says(Wire kind, const std::string& rest = "", Number number = 0) {
    return engine_.Hear(kind, Multiplexer::Encode(number) + rest);
  }
  Multiplexer& engine() { return engine_; }
  void FillSocket() {
    const std::string block(65'536, 'x');
    while (engine_.Hear(Wire::kFrom, Multiplexer::Encode(0) + block.substr(0, 1000))) {
    }
  }

 private:
  UniqueFd proxy_;
  Multiplexer engine_{4, Multiplexer::kOfEngine, Multiplexer::kOfAttendant, [](Wire, std::string_view) {}};
};

TEST(MultiplexerTest, RefusesWhatNoHonestEndSays) {
  EXPECT_FALSE(Hostile().Says(Wire::kFrom, "x", 1));                           // not open
  EXPECT_FALSE(Hostile().Says(Wire::kFrom, "x", 4));                           // no number at all
  EXPECT_FALSE(Hostile().Says(Wire::kFrom, "x", 65535));                       // likewise
  EXPECT_FALSE(Hostile().Says(Wire::kTo, "x"));                                // our own word
  EXPECT_FALSE(Hostile().Says(Wire::kFromTaken, std::string("\1\0\0\0", 4)));  // nothing was sent
  EXPECT_FALSE(Hostile().Says(Wire::kFromTaken, "\1"));
  EXPECT_FALSE(Hostile().Says(Wire::kFromTaken, "\xff\xff\xff\xff"));
  EXPECT_FALSE(Hostile().Says(Wire::kFromClosed, "x"));
  EXPECT_FALSE(Hostile().engine().Hear(Wire::kFrom, ""));
  EXPECT_FALSE(Hostile().engine().Hear(Wire::kFrom, "\1"));
  Hostile ended;
  EXPECT_TRUE(ended.Says(Wire::kFrom));
  EXPECT_FALSE(ended.Says(Wire::kFrom, "more"));
  Hostile closed;
  EXPECT_TRUE(closed.Says(Wire::kFromClosed));
  EXPECT_FALSE(closed.Says(Wire::kFrom, "more"));
  EXPECT_FALSE(closed.Says(Wire::kFromClosed));
}

TEST(MultiplexerTest, TakesNoMoreThanAWindow) {
  Hostile hostile;
  hostile.FillSocket();  // ends when it is refused
  EXPECT_FALSE(hostile.Says(Wire::kFrom, std::string(kConnectionWindow, 'x')));
}

TEST(ConnectionsTest, HandsEachConnectionOver) {
  auto handover = Connections::MakeHandover();
  ASSERT_TRUE(handover);
  std::map<Wire, int> said;
  Connections connections(std::move(handover->ours), {},
                          [&said](Wire kind, std::string_view) { ++said[kind]; });
  ASSERT_TRUE(connections.Hear({Wire::kOpened, Multiplexer::Encode(7)}));
  EXPECT_FALSE(connections.Hear({Wire::kOpened, Multiplexer::Encode(7)}));
  ASSERT_TRUE(connections.Hear({Wire::kFrom, Multiplexer::Encode(7) + "hello"}));
  std::array<std::byte, 1> word{};
  int fd = -1;
  std::size_t count = 0;
  ASSERT_EQ(ReceiveDescriptors(handover->theirs.get(), word, {&fd, 1}, count), 1);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(Read(UniqueFd(fd)), "hello");
  EXPECT_EQ(said[Wire::kToTaken], 1);
}

TEST(ConnectionsTest, ClosesWhatNobodyTakes) {
  auto handover = Connections::MakeHandover();
  ASSERT_TRUE(handover);
  std::map<Wire, int> said;
  Connections connections(std::move(handover->ours), {},
                          [&said](Wire kind, std::string_view) { ++said[kind]; });
  handover->theirs.reset();
  EXPECT_TRUE(connections.Hear({Wire::kOpened, Multiplexer::Encode(0)}));
  EXPECT_EQ(said[Wire::kToClosed], 1);
  // What is under way meanwhile is nobody's.
  EXPECT_TRUE(connections.Hear({Wire::kFrom, Multiplexer::Encode(0) + "x"}));
  EXPECT_TRUE(connections.Hear({Wire::kFromClosed, Multiplexer::Encode(0)}));
  EXPECT_TRUE(connections.Hear({Wire::kOpened, Multiplexer::Encode(0)}));
}

TEST(ConnectionsTest, TakesAsManyAsAPolicyAllowsBeforeTheProxyIsReady) {
  auto handover = Connections::MakeHandover();
  ASSERT_TRUE(handover);
  int closed = 0;
  NetworkLimits limits;
  limits.connections_max = static_cast<std::int64_t>(kConnectionsMax);
  Connections connections(std::move(handover->ours), limits,
                          [&closed](Wire kind, std::string_view) { closed += kind == Wire::kToClosed; });
  for (std::size_t i = 0; i < kConnectionsMax; ++i)
    ASSERT_TRUE(connections.Hear({Wire::kOpened, Multiplexer::Encode(static_cast<Number>(i))}));
  EXPECT_FALSE(connections.Hear({Wire::kOpened, Multiplexer::Encode(static_cast<Number>(kConnectionsMax))}));
  EXPECT_EQ(closed, 0);
}

}  // namespace
}  // namespace casemate
