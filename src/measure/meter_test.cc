#include "measure/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>

#include "base/unique_fd.h"

namespace casemate {
namespace {

using ::testing::SizeIs;

ExecutionResult Ended(Status status, std::vector<Timing> timings = {}) {
  ExecutionResult result;
  result.status = status;
  result.timings = std::move(timings);
  return result;
}

TEST(MeterTest, StepsKeepTheirOrderAndMayBeMissing) {
  Meter meter;
  meter.Add(100, Ended(Status::kOk, {{"plan", 10}, {"run", 80}}));
  meter.Add(200, Ended(Status::kOk, {{"plan", 20}, {"wait", 5}, {"run", 90}, {"run", 9}}));
  meter.Add(300, Ended(Status::kTimeout, {{"run", 300}}));
  const MeterReport report = meter.Report();
  EXPECT_EQ(report.runs, 3);
  EXPECT_EQ(report.by_status.at(Status::kOk), 2);
  EXPECT_EQ(report.whole.At(0.5), 200);
  ASSERT_THAT(report.steps, SizeIs(3));
  EXPECT_EQ(report.steps[0].step, "plan");
  EXPECT_EQ(report.steps[0].times.size(), 2U);
  EXPECT_EQ(report.steps[1].step, "run");
  EXPECT_EQ(report.steps[1].times.At(0.5), 99);
  EXPECT_EQ(report.steps[1].times.Max(), 300);
  EXPECT_EQ(report.steps[2].step, "wait");
}

TEST(MeterTest, TheLastRunsAlone) {
  Meter meter;
  for (int i = 1; i <= 10; ++i) meter.Add(i, Ended(Status::kOk));
  const MeterReport report = meter.Report(3);
  EXPECT_EQ(report.runs, 10);
  EXPECT_EQ(report.whole.size(), 3U);
  EXPECT_EQ(report.whole.Min(), 8);
}

class FakeEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& /*request*/, EventSink* /*sink*/, int cancel_fd,
                          CancelWhen /*cancel_when*/) override {
    const int run = ++runs;
    if (run == fails_at) return Ended(Status::kUnavailable);
    pollfd cancel{cancel_fd, POLLIN, 0};
    if (::poll(&cancel, 1, pause_ms) > 0) return Ended(Status::kCancelled);
    return Ended(Status::kOk, {{"run", 1}});
  }
  std::atomic<int> runs = 0;
  int fails_at = -1;
  int pause_ms = 0;
};

TEST(MeasureTest, RunsEachRoundOnce) {
  FakeEngine engine;
  Meter meter;
  EXPECT_FALSE(Measure(engine, {}, {.rounds = 500, .clients = 7}, meter));
  EXPECT_EQ(engine.runs, 500);
  EXPECT_EQ(meter.Report().runs, 500);
}

TEST(MeasureTest, TimesTheWholeRun) {
  FakeEngine engine;
  engine.pause_ms = 20;
  Meter meter;
  EXPECT_FALSE(Measure(engine, {}, {.rounds = 3}, meter));
  EXPECT_GE(meter.Report().whole.Min(), 19'000);
}

TEST(MeasureTest, StopsAtARunThatNeverRan) {
  FakeEngine engine;
  engine.fails_at = 5;
  Meter meter;
  const auto failure = Measure(engine, {}, {.rounds = 100}, meter);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->status, Status::kUnavailable);
  EXPECT_EQ(meter.Report().runs, 4);
}

TEST(MeasureTest, StopsWhenCancelled) {
  FakeEngine engine;
  const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
  Meter meter;
  EXPECT_FALSE(Measure(engine, {}, {.rounds = 100, .clients = 2, .cancel_fd = cancel.get()}, meter));
  EXPECT_EQ(meter.Report().runs, 0);
  EXPECT_LE(engine.runs, 2);
}

}  // namespace
}  // namespace casemate
