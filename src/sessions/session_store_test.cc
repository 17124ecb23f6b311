#include "sessions/session_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "base/clock.h"

namespace casemate {
namespace {

using testing::HasSubstr;

// What a test's sessions do, and what was done to them.
struct Play {
  std::function<void()> step;
  std::function<void()> look;
  std::atomic<const char*> dead = "";
  std::atomic<int> interrupts = 0;
  std::atomic<bool> interrupted = false;  // the step that is prepared or runs
  std::atomic<int> ends = 0;
  std::atomic<int> rests = 0;
  std::atomic<int> live = 0;
  std::optional<Error> refuse;
};

class FakeSession : public LiveSession {
 public:
  explicit FakeSession(Play& play) : play_(play) { ++play_.live; }
  ~FakeSession() override { --play_.live; }
  ExecutionResult Step(const ExecutionRequest&, EventSink*, int, bool) override {
    if (play_.step) play_.step();
    ExecutionResult result;
    result.status = Status::kOk;
    result.session = SessionNote{.ended_because = play_.dead.load()};
    return result;
  }
  void Prepare(std::string /*context*/) override { play_.interrupted = false; }
  std::string Look() override {
    if (play_.look) play_.look();
    return play_.dead.load();
  }
  void Rest() override { ++play_.rests; }
  Expected<std::vector<std::unique_ptr<LiveSession>>> Fork(const std::vector<std::string>& ids) override {
    if (play_.refuse) return std::unexpected(*play_.refuse);
    std::vector<std::unique_ptr<LiveSession>> all;
    for (std::size_t i = 0; i < ids.size(); ++i) all.push_back(std::make_unique<FakeSession>(play_));
    return all;
  }
  void Interrupt() override {
    ++play_.interrupts;
    play_.interrupted = true;
  }
  void End() override { ++play_.ends; }
  Expected<FileAnswer> Files(const FileRequest& request) override { return FileAnswer{request.path, {}}; }
  const EnforcementReport& isolation() const override { return isolation_; }

 private:
  Play& play_;
  EnforcementReport isolation_;
};

class SessionStoreTest : public testing::Test, public LiveSessionMaker {
 public:
  Expected<std::unique_ptr<LiveSession>> Make(const std::string&, const SessionOptions&) override {
    if (play_.refuse) return std::unexpected(*play_.refuse);
    return std::make_unique<FakeSession>(play_);
  }
  LiveSessionMaker& maker() { return *this; }
  static bool Settle(const std::function<bool()>& done) {
    const Deadline deadline = Deadline::After(10'000);
    while (!done() && !deadline.Passed()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return done();
  }

  Play play_;
  SessionStore store_{maker(), {.live_max = 2, .look_ms = 20, .remember_ms = 200}};
};

TEST_F(SessionStoreTest, OpensRunsAndCloses) {
  SessionOptions options{.name = "mine"};
  options.base.origin.caller = "key:1";
  const auto opened = store_.Open(options);
  ASSERT_TRUE(opened);
  EXPECT_EQ(store_.CallerOf(opened->id), "key:1");
  EXPECT_EQ(store_.CallerOf("x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(opened->name, "mine");
  EXPECT_EQ(opened->id.size(), 4 + 32U);
  EXPECT_TRUE(store_.Run(opened->id, {}, nullptr, -1, false));
  EXPECT_EQ(store_.Get(opened->id)->steps, 1);
  EXPECT_EQ(store_.Get(opened->id)->state, SessionState::kIdle);
  EXPECT_EQ(store_.Files(opened->id, {.path = "a"})->bytes, "a");
  EXPECT_EQ(store_.List().size(), 1U);
  EXPECT_TRUE(store_.Close(opened->id));
  EXPECT_EQ(play_.live, 0);
  EXPECT_EQ(store_.Close(opened->id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_.Run(opened->id, {}, nullptr, -1, false).error().code, ErrorCode::kNotFound);
}

TEST_F(SessionStoreTest, HasRoomForSoManyAndForgetsThoseThatFailed) {
  play_.refuse = Error{ErrorCode::kInvalidRequest, "no", ""};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store_.Open({}).error().message, "no");
  play_.refuse.reset();
  const auto first = store_.Open({});
  ASSERT_TRUE(first && store_.Open({}));
  EXPECT_THAT(store_.Open({}).error().message, HasSubstr("2 sessions already"));
  EXPECT_TRUE(store_.Close(first->id));
  EXPECT_TRUE(store_.Open({}));
}

TEST_F(SessionStoreTest, ForksAndCheckpointsCountAsSessions) {
  const auto opened = store_.Open({.name = "mine"});
  ASSERT_TRUE(opened);
  EXPECT_EQ(store_.Fork(opened->id, {.count = 0}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(store_.Fork(opened->id, {.count = 2}).error().message, HasSubstr("1 sessions already"));
  const auto kept = store_.Checkpoint(opened->id, "before");
  ASSERT_TRUE(kept);
  EXPECT_EQ(play_.live, 2);
  EXPECT_FALSE(store_.Fork(opened->id, {}));
  EXPECT_TRUE(store_.Rewind(opened->id, kept->id));
  EXPECT_EQ(play_.live, 2);
  EXPECT_EQ(store_.Rewind(opened->id, "cp-0").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_.Checkpoints(opened->id)->size(), 1U);
  EXPECT_TRUE(store_.DropCheckpoint(opened->id, kept->id));
  const auto forks = store_.Fork(opened->id, {});
  ASSERT_TRUE(forks);
  EXPECT_EQ(forks->front().parent, opened->id);
  EXPECT_EQ(forks->front().name, "mine");
  EXPECT_TRUE(store_.Close(opened->id));
  EXPECT_EQ(store_.Get(forks->front().id)->state, SessionState::kIdle);
  EXPECT_TRUE(store_.Checkpoint(forks->front().id, ""));
  EXPECT_TRUE(store_.Close(forks->front().id));
  EXPECT_EQ(play_.live, 0);
}

TEST_F(SessionStoreTest, AForkThatFailsLeavesRoomAndWhatWasThere) {
  const auto opened = store_.Open({});
  ASSERT_TRUE(opened);
  play_.refuse = Error{ErrorCode::kUnavailable, "not now", ""};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store_.Fork(opened->id, {}).error().message, "not now");
  EXPECT_EQ(store_.Get(opened->id)->state, SessionState::kIdle);
  play_.refuse = Error{ErrorCode::kInternal, "broken", ""};
  EXPECT_EQ(store_.Fork(opened->id, {}).error().message, "broken");
  EXPECT_EQ(store_.Get(opened->id)->state, SessionState::kEnded);
  EXPECT_EQ(play_.live, 0);
}

TEST_F(SessionStoreTest, RefusesImpossibleTimes) {
  EXPECT_EQ(store_.Open({.idle_timeout_ms = 0}).error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(store_.Open({.lifetime_ms = -1}).error().code, ErrorCode::kInvalidRequest);
}

TEST_F(SessionStoreTest, ASecondStepIsToldThatItIsBusyAndAnInterruptReachesTheFirst) {
  std::promise<void> begun;
  std::promise<void> go_on;
  play_.step = [&] {
    begun.set_value();
    go_on.get_future().wait();
  };
  const auto opened = store_.Open({});
  ASSERT_TRUE(opened);
  EXPECT_TRUE(store_.Interrupt(opened->id));
  EXPECT_EQ(play_.interrupts, 0);  // nothing runs
  std::thread runner([&] { EXPECT_TRUE(store_.Run(opened->id, {}, nullptr, -1, false)); });
  begun.get_future().wait();
  EXPECT_EQ(store_.Get(opened->id)->state, SessionState::kRunning);
  EXPECT_THAT(store_.Run(opened->id, {}, nullptr, -1, false).error().message, HasSubstr("busy"));
  EXPECT_TRUE(store_.Interrupt(opened->id));
  EXPECT_EQ(play_.interrupts, 1);
  // Its end while it runs: the step keeps it until it is over.
  EXPECT_TRUE(store_.Close(opened->id));
  EXPECT_EQ(play_.ends, 1);
  EXPECT_EQ(play_.live, 1);
  go_on.set_value();
  runner.join();
  EXPECT_EQ(play_.live, 0);
}

TEST_F(SessionStoreTest, AnInterruptReachesAStepThatStillWaitsForALook) {
  std::promise<void> looking;
  std::promise<void> go_on;
  // The store looks again after this test's own variables are gone.
  play_.look = [&, first = std::make_shared<std::atomic<bool>>(true)] {
    if (!first->exchange(false)) return;
    looking.set_value();
    go_on.get_future().wait();
  };
  std::atomic<bool> interrupted = false;
  play_.step = [&] { interrupted = play_.interrupted.load(); };
  const auto opened = store_.Open({});
  ASSERT_TRUE(opened);
  looking.get_future().wait();
  std::thread runner([&] { EXPECT_TRUE(store_.Run(opened->id, {}, nullptr, -1, false)); });
  EXPECT_TRUE(Settle([&] { return store_.Get(opened->id)->state == SessionState::kRunning; }));
  EXPECT_TRUE(store_.Interrupt(opened->id));
  go_on.set_value();
  runner.join();
  EXPECT_TRUE(interrupted);
}

TEST_F(SessionStoreTest, OneThatEndsIsKnownForAWhileWithItsReason) {
  const auto opened = store_.Open({});
  ASSERT_TRUE(opened);
  play_.dead = "its interpreter ended";
  EXPECT_TRUE(store_.Run(opened->id, {}, nullptr, -1, false));
  EXPECT_EQ(store_.Get(opened->id)->state, SessionState::kEnded);
  EXPECT_EQ(play_.live, 0);
  const auto refused = store_.Run(opened->id, {}, nullptr, -1, false);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("its interpreter ended"));
  EXPECT_EQ(store_.Files(opened->id, {}).error().code, ErrorCode::kUnavailable);
}

TEST_F(SessionStoreTest, EndsWhenItsTimeIsOver) {
  const auto idle = store_.Open({.idle_timeout_ms = 50});
  const auto old = store_.Open({.lifetime_ms = 100});
  ASSERT_TRUE(idle && old);
  EXPECT_TRUE(Settle([&] { return play_.live == 0; }));
  EXPECT_THAT(store_.Get(idle->id)->ended_because, HasSubstr("idle"));
  EXPECT_THAT(store_.Get(old->id)->ended_because, HasSubstr("lifetime"));
  EXPECT_TRUE(Settle([&] { return store_.List().empty(); }));
}

TEST_F(SessionStoreTest, AFewKeepWhatStepsNeedUntilTheyAreLookedAt) {
  SessionStore calm(maker(), {.busy_max = 1, .look_ms = 3'600'000});
  const auto first = calm.Open({});
  ASSERT_TRUE(first);
  EXPECT_EQ(play_.rests, 1) << "it may never have a step";
  EXPECT_TRUE(calm.Run(first->id, {}, nullptr, -1, false));
  EXPECT_EQ(play_.rests, 1);
  ASSERT_TRUE(calm.Open({}));
  EXPECT_TRUE(calm.Run(first->id, {}, nullptr, -1, false));
  EXPECT_EQ(play_.rests, 3) << "more than a few rest after each step";

  const auto looked_at = store_.Open({});
  ASSERT_TRUE(looked_at);
  EXPECT_TRUE(store_.Run(looked_at->id, {}, nullptr, -1, false));
  EXPECT_TRUE(Settle([&] { return play_.rests >= 5; }));
}

TEST_F(SessionStoreTest, SaysWhyThereIsNoRoomForMore) {
  SessionStore full(maker(), {.live_max = 1, .why_no_more = "the limit of open files has room for no more"});
  const auto opened = full.Open({});
  ASSERT_TRUE(opened);
  EXPECT_THAT(full.Open({}).error().message,
              HasSubstr("there are 1 sessions already, and the limit of open"));
  EXPECT_THAT(full.Fork(opened->id, {}).error().message, HasSubstr("the limit of open"));
}

TEST_F(SessionStoreTest, ALookFindsOneThatDiedBetweenSteps) {
  const auto opened = store_.Open({});
  ASSERT_TRUE(opened);
  play_.dead = "dead";
  EXPECT_TRUE(Settle([&] { return store_.Get(opened->id)->state == SessionState::kEnded; }));
}

}  // namespace
}  // namespace casemate
