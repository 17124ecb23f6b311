#include "isolation/wire/relay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>

#include "base/descriptor_message.h"

namespace casemate {
namespace {

constexpr int kPatienceMs = 10'000;

class RelayTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> outward{};
    std::array<int, 2> inward{};
    ASSERT_EQ(pipe2(outward.data(), O_CLOEXEC | O_NONBLOCK), 0);
    ASSERT_EQ(pipe2(inward.data(), O_CLOEXEC | O_NONBLOCK), 0);
    out_.reset(outward[1]);
    in_.reset(inward[0]);
    auto handover = Connections::MakeHandover();
    ASSERT_TRUE(handover);
    proxy_ = std::move(handover->theirs);
    NetworkLimits limits;
    limits.connections_max = 4;
    relay_ =
        std::make_unique<Relay>(UniqueFd(outward[0]), UniqueFd(inward[1]), std::move(handover->ours), limits);
  }

  // Of a connection that comes to the proxy.
  UniqueFd Taken() {
    pollfd ready{proxy_.get(), POLLIN, 0};
    if (poll(&ready, 1, kPatienceMs) <= 0) return {};
    std::array<std::byte, 1> word{};
    std::array<int, 1> fds = {-1};
    std::size_t count = 0;
    (void)ReceiveDescriptors(proxy_.get(), word, fds, count);
    return UniqueFd(count == 1 ? fds[0] : -1);
  }

  bool Say(const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = write(out_.get(), bytes.data() + sent, bytes.size() - sent);
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (count < 0 && errno != EAGAIN) return false;
      pollfd ready{out_.get(), POLLOUT, 0};
      if (count < 0 && poll(&ready, 1, 2000) <= 0) return false;
    }
    return true;
  }

  static std::string ReadToTheEnd(int fd) {
    std::string all;
    for (;;) {
      pollfd ready{fd, POLLIN, 0};
      if (poll(&ready, 1, kPatienceMs) <= 0) return all + "(no end)";
      std::array<char, 65536> bytes{};
      const ssize_t count = read(fd, bytes.data(), bytes.size());
      if (count <= 0) return all;
      all.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

  static std::string Opened(Multiplexer::Number number) {
    return EncodeWire(Wire::kOpened, Multiplexer::Encode(number));
  }
  static std::string Piece(Multiplexer::Number number, const std::string& bytes) {
    return EncodeWire(Wire::kFrom, Multiplexer::Encode(number) + bytes);
  }

  UniqueFd out_;    // the inner end writes there
  UniqueFd in_;     // and reads there
  UniqueFd proxy_;  // its end of the handover
  std::unique_ptr<Relay> relay_;
};

TEST_F(RelayTest, LetsOutWhatWasSaidBeforeTheEnd) {
  ASSERT_TRUE(Say(Opened(2) + Piece(2, "the last words")));
  out_.reset();
  relay_->Finish();
  const UniqueFd connection = Taken();
  ASSERT_TRUE(connection.valid());
  EXPECT_EQ(ReadToTheEnd(connection.get()), "the last words");
}

TEST_F(RelayTest, FinishesThoughSomebodyElseHoldsThePipe) {
  ASSERT_TRUE(Say(Opened(0) + Piece(0, "said")));
  relay_->Finish();
  const UniqueFd connection = Taken();
  ASSERT_TRUE(connection.valid());
  EXPECT_EQ(ReadToTheEnd(connection.get()), "said");
}

TEST_F(RelayTest, EndsTheNetworkOfOneThatLies) {
  const std::array lies = {EncodeWire(Wire::kExit, "0"), EncodeWire(Wire::kStdout, "x"), Opened(700),
                           Piece(1, "of no connection"), std::string("\xff\xff\xff\xff\xff")};
  for (const std::string& lie : lies) {
    SetUp();
    ASSERT_TRUE(Say(Opened(0)));
    const UniqueFd connection = Taken();
    ASSERT_TRUE(connection.valid());
    ASSERT_TRUE(Say(lie));
    EXPECT_EQ(ReadToTheEnd(connection.get()), "");
    EXPECT_EQ(ReadToTheEnd(in_.get()).find("(no end)"), std::string::npos);
  }
}

// It never reads, and provokes an answer with each of its frames: it is not listened to for ever.
TEST_F(RelayTest, IsNotMadeToHoldEverMore) {
  ASSERT_TRUE(Say(Opened(0)));
  const UniqueFd connection = Taken();
  ASSERT_TRUE(connection.valid());
  // What comes for it is thrown away, and told as taken.
  ASSERT_EQ(shutdown(connection.get(), SHUT_RD), 0);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Piece(0, "x");
  constexpr std::size_t kFarMoreThanItHolds = std::size_t{32} << 20;
  std::size_t said = 0;
  while (said < kFarMoreThanItHolds && Say(many)) said += many.size();
  EXPECT_GT(said, std::size_t{1} << 20);
  EXPECT_LT(said, kFarMoreThanItHolds);
  relay_->Finish();
}

}  // namespace
}  // namespace casemate
