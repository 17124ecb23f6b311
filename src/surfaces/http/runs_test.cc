#include "surfaces/http/runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <semaphore>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace casemate::http {
namespace {

using testing::ElementsAre;

// Takes note of what runs, and lets it end when it is told to.
class GatedEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* /*sink*/, int /*cancel_fd*/,
                          CancelWhen /*cancel_when*/) override {
    {
      const std::lock_guard lock(mutex_);
      begun_.push_back(request.code.value_or(""));
    }
    gate_.acquire();
    return {};
  }
  void LetEnd(int count) { gate_.release(count); }
  std::vector<std::string> begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> begun_;
  std::counting_semaphore<> gate_{0};
};

class RunsTest : public testing::Test {
 protected:
  static bool Until(const std::function<bool()>& held) {
    const Deadline deadline = Deadline::After(20'000);
    while (!held()) {
      if (deadline.Passed()) return false;
      ::usleep(500);
    }
    return true;
  }
  // One that asks for a place on a thread of its own, after all that have asked before.
  void Ask(const std::string& name, Runs::Cancel cancel = {}) {
    const int before = runs_.waiting() + runs_.running();
    peers_.emplace_back([this, name, cancel = std::move(cancel)] {
      ExecutionRequest request;
      request.code = name;
      if (!runs_.Execute(request, peer_, nullptr, cancel)) ++refused_;
    });
    ASSERT_TRUE(Until([&] { return runs_.waiting() + runs_.running() > before; }));
  }
  void TearDown() override {
    engine_.LetEnd(static_cast<int>(peers_.size()));
    for (std::thread& peer : peers_) peer.join();
  }

  Request PeerThatMayAll() {
    Request request;
    request.scopes = Scopes::All();
    return request;
  }

  GatedEngine engine_;
  KeyUsage usage_;
  Runs runs_{engine_, usage_, {.running_max = 1, .wait_ms = 20'000}};
  Request peer_ = PeerThatMayAll();
  std::atomic<int> refused_ = 0;
  std::vector<std::thread> peers_;
};

TEST_F(RunsTest, PlacesAreGivenInTheOrderOfAsking) {
  for (const std::string name : {"a", "b", "c", "d", "e"}) Ask(name);
  // Longer than one that waits sleeps at a time: whoever looks first is not the one who has waited longest.
  ::usleep(600'000);
  for (std::size_t count = 1; count <= 5; ++count) {
    ASSERT_TRUE(Until([&] { return engine_.begun().size() == count; }));
    EXPECT_EQ(runs_.running(), 1);
    engine_.LetEnd(1);
  }
  EXPECT_THAT(engine_.begun(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_TRUE(Until([this] { return runs_.running() == 0; }));
}

TEST_F(RunsTest, WhoeverHangsUpGivesItsTurnToTheNextOne) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd watched(ends[0]);
  UniqueFd peer(ends[1]);
  Ask("a");
  Ask("b", {.fd = watched.get()});
  Ask("c");
  peer.reset();
  EXPECT_TRUE(Until([this] { return refused_ == 1; }));
  EXPECT_EQ(runs_.waiting(), 1);
  engine_.LetEnd(1);
  EXPECT_TRUE(Until([this] { return engine_.begun().size() == 2; }));
  EXPECT_THAT(engine_.begun(), ElementsAre("a", "c"));
}

TEST_F(RunsTest, SessionsTakeNoPlaceOfThoseWhoWait) {
  auto session = runs_.Enter(peer_, {});
  ASSERT_TRUE(session);
  Ask("a");
  EXPECT_EQ(runs_.waiting(), 1) << "what a session does counts as running";
  session->reset();
  EXPECT_TRUE(Until([this] { return engine_.begun().size() == 1; }));
  EXPECT_EQ(runs_.running(), 1);
}

TEST_F(RunsTest, AnEndThatIsNearIsNotWaitedFor) {
  Ask("a");
  Ask("b");
  runs_.BeginDrain();
  EXPECT_TRUE(Until([this] { return refused_ == 1; }));
  EXPECT_EQ(runs_.waiting(), 0);
}

}  // namespace
}  // namespace casemate::http
