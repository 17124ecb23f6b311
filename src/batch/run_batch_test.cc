#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/batch.h"
#include "model/refusal.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A program is told by its code: "ok", "sleep" (until it is cancelled), or a number of milliseconds.
class FakeEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* /*sink*/, int cancel_fd,
                          CancelWhen /*cancel_when*/) override {
    const int now = ++running;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    {
      const std::lock_guard lock(mutex);
      ++runs[request.code_name];
    }
    ExecutionResult result;
    result.id = "run";
    result.status = Status::kOk;
    const std::string& code = *request.code;
    pollfd cancel{cancel_fd, POLLIN, 0};
    const int pause = code == "ok" ? 0 : code == "sleep" ? 20'000 : std::stoi(code);
    if (pause > 0 && ::poll(&cancel, 1, pause) > 0) result.status = Status::kCancelled;
    result.stdout_text = std::string(output_bytes, 'x');
    result.usage = {.wall_ms = 2, .cpu_ms = 3, .memory_peak_bytes = 1000 + now, .stdout_bytes = 5};
    --running;
    return result;
  }
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::size_t output_bytes = 0;
  std::mutex mutex;
  std::map<std::string, int> runs;  // by code_name
};

class ListSource : public BatchSource {
 public:
  explicit ListSource(std::vector<std::string> codes) : codes_(std::move(codes)) {}
  Expected<std::optional<BatchItem>> Next() override {
    EXPECT_EQ(inside_.fetch_add(1), 0) << "two at once";
    const auto leave = [this] { --inside_; };
    const std::size_t index = asked;
    if (on_next) on_next(static_cast<std::int64_t>(index) + 1);
    if (index == fail_at) {
      leave();
      return Fail(ErrorCode::kInternal, "the source is broken");
    }
    if (index >= codes_.size()) {
      leave();
      return std::nullopt;
    }
    ++asked;
    BatchItem item;
    item.number = static_cast<std::int64_t>(index) + 1;
    item.id = "id" + std::to_string(item.number);
    if (codes_[index] == "bad") {
      item.work = RefusalOf(Error{ErrorCode::kInvalidRequest, "bad", ""});
    } else {
      ExecutionRequest request;
      request.code = codes_[index];
      request.code_name = std::to_string(item.number);
      item.work = std::move(request);
    }
    leave();
    return item;
  }
  std::atomic<std::size_t> asked = 0;
  std::size_t fail_at = SIZE_MAX;
  std::function<void(std::int64_t)> on_next;

 private:
  std::vector<std::string> codes_;
  std::atomic<int> inside_ = 0;
};

class ListSink : public BatchSink {
 public:
  Expected<void> OnBegin(const BatchItem& item) override {
    const std::lock_guard lock(mutex);
    if (item.number == fail_begin) return Fail(ErrorCode::kInternal, "no begin");
    EXPECT_TRUE(begun.insert(item.number).second) << "begun twice";
    return {};
  }
  Expected<void> OnHeld(const BatchItem& item, const ExecutionResult& /*result*/) override {
    EXPECT_EQ(inside.fetch_add(1), 0) << "two at once";
    held.push_back(item.number);
    --inside;
    return {};
  }
  Expected<void> OnResult(const BatchItem& item, const ExecutionResult& result) override {
    EXPECT_EQ(inside.fetch_add(1), 0) << "two at once";
    if (on_result) on_result(item.number);
    numbers.push_back(item.number);
    statuses.push_back(result.status);
    EXPECT_EQ(item.id, "id" + std::to_string(item.number));
    --inside;
    if (item.number == fail_result) return Fail(ErrorCode::kInternal, "the disk is full");
    return {};
  }
  std::mutex mutex;
  std::atomic<int> inside = 0;
  std::set<std::int64_t> begun;
  std::vector<std::int64_t> held;
  std::vector<std::int64_t> numbers;
  std::vector<Status> statuses;
  std::int64_t fail_begin = -1;
  std::int64_t fail_result = -1;
  std::function<void(std::int64_t)> on_result;
};

std::vector<std::int64_t> UpTo(std::int64_t count) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 1; i <= count; ++i) numbers.push_back(i);
  return numbers;
}

TEST(RunBatchTest, OfNothing) {
  FakeEngine engine;
  ListSource source({});
  ListSink sink;
  const auto totals = RunBatch(engine, source, sink, {});
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->items, 0);
  EXPECT_FALSE(totals->cancelled);
}

TEST(RunBatchTest, KeepsTheOrderAndSumsUp) {
  FakeEngine engine;
  std::vector<std::string> codes;
  for (int i = 0; i < 200; ++i) codes.emplace_back(i % 10 == 3 ? "bad" : i % 7 == 0 ? "2" : "ok");
  ListSource source(codes);
  ListSink sink;
  const auto totals = RunBatch(engine, source, sink, {.jobs = 8});
  ASSERT_TRUE(totals);
  EXPECT_EQ(sink.numbers, UpTo(200));
  EXPECT_EQ(totals->items, 200);
  EXPECT_EQ(totals->by_status.at(Status::kOk), 180);
  EXPECT_EQ(totals->by_status.at(Status::kRejected), 20);
  EXPECT_EQ(totals->cpu_ms, 180 * 3);
  EXPECT_EQ(totals->wall_ms, 180 * 2);
  EXPECT_EQ(totals->stdout_bytes, 180 * 5);
  EXPECT_EQ(totals->memory_peak_bytes, 1000 + engine.most);
  EXPECT_LE(engine.most, 8);
  EXPECT_THAT(sink.begun, SizeIs(180));  // what is refused never begins
  EXPECT_THAT(engine.runs, SizeIs(180));
}

TEST(RunBatchTest, AsFinishedWaitsForNobody) {
  FakeEngine engine;
  ListSource source({"sleep", "ok", "ok", "ok"});
  ListSink sink;
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
  sink.on_result = [&](std::int64_t number) {
    const std::uint64_t one = 1;
    if (number == 4) (void)!::write(cancel.get(), &one, sizeof one);
  };
  const auto totals = RunBatch(engine, source, sink,
                               {.jobs = 2, .order = BatchOrder::kAsFinished, .cancel_fd = cancel.get()});
  ASSERT_TRUE(totals);
  EXPECT_THAT(sink.numbers, ElementsAre(2, 3, 4, 1));
  EXPECT_THAT(sink.held, IsEmpty());
  EXPECT_EQ(sink.statuses.back(), Status::kCancelled);
}

// The oldest item runs; no more than ahead_max are read while it does.
TEST(RunBatchTest, HoldsBackBehindASlowItem) {
  FakeEngine engine;
  std::vector<std::string> codes(50, "ok");
  codes[0] = "300";
  ListSource source(codes);
  std::atomic<bool> first_done = false;
  std::int64_t most_before = 0;
  source.on_next = [&](std::int64_t number) {
    if (!first_done) most_before = number;
  };
  ListSink sink;
  sink.on_result = [&](std::int64_t) { first_done = true; };
  ASSERT_TRUE(RunBatch(engine, source, sink, {.jobs = 4, .ahead_max = 10}));
  EXPECT_EQ(sink.numbers, UpTo(50));
  EXPECT_EQ(most_before, 10);
  EXPECT_THAT(sink.held, SizeIs(testing::Ge(9U)));
}

TEST(RunBatchTest, HoldsBackWhenWhatWaitsIsLarge) {
  FakeEngine engine;
  engine.output_bytes = 1 << 20;
  std::vector<std::string> codes(20, "ok");
  codes[0] = "300";
  ListSource source(codes);
  std::atomic<bool> first_done = false;
  std::int64_t most_before = 0;
  source.on_next = [&](std::int64_t number) {
    if (!first_done) most_before = number;
  };
  ListSink sink;
  sink.on_result = [&](std::int64_t) { first_done = true; };
  ASSERT_TRUE(RunBatch(engine, source, sink, {.jobs = 2, .held_bytes_max = 3 << 20}));
  EXPECT_EQ(sink.numbers, UpTo(20));
  EXPECT_LE(most_before, 5);
}

// Nothing is read before a worker is free for it.
TEST(RunBatchTest, ReadsNothingAhead) {
  FakeEngine engine;
  ListSource source(std::vector<std::string>(30, "ok"));
  ListSink sink;
  sink.on_result = [&](std::int64_t) {
    EXPECT_LE(source.asked, sink.numbers.size() + 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // a slow reader
  };
  ASSERT_TRUE(RunBatch(engine, source, sink, {.jobs = 3, .order = BatchOrder::kAsFinished}));
  EXPECT_THAT(sink.numbers, SizeIs(30));
}

TEST(RunBatchTest, CancelEndsWhatRunsAndBeginsNothing) {
  FakeEngine engine;
  ListSource source(std::vector<std::string>(100, "sleep"));
  ListSink sink;
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
  std::thread later([&] {
    while (engine.running < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::uint64_t one = 1;
    (void)!::write(cancel.get(), &one, sizeof one);
  });
  const auto totals = RunBatch(engine, source, sink, {.jobs = 3, .cancel_fd = cancel.get()});
  later.join();
  ASSERT_TRUE(totals);
  EXPECT_TRUE(totals->cancelled);
  EXPECT_EQ(sink.numbers, UpTo(3));
  EXPECT_EQ(totals->by_status.at(Status::kCancelled), 3);
}

TEST(RunBatchTest, FailedBeginRunsNothing) {
  FakeEngine engine;
  ListSource source(std::vector<std::string>(100, "ok"));
  ListSink sink;
  sink.fail_begin = 5;
  const auto totals = RunBatch(engine, source, sink, {.jobs = 1});
  ASSERT_FALSE(totals);
  EXPECT_EQ(totals.error().message, "no begin");
  EXPECT_EQ(sink.numbers, UpTo(4));
  EXPECT_FALSE(engine.runs.contains("5"));
}

TEST(RunBatchTest, FailedSinkCancelsWhatRuns) {
  FakeEngine engine;
  ListSource source({"200", "sleep", "sleep", "ok"});
  ListSink sink;
  sink.fail_result = 1;
  const auto totals = RunBatch(engine, source, sink, {.jobs = 3});
  ASSERT_FALSE(totals);
  EXPECT_EQ(totals.error().message, "the disk is full");
  EXPECT_EQ(sink.numbers, UpTo(1));
}

TEST(RunBatchTest, FailedSourceKeepsWhatRan) {
  FakeEngine engine;
  ListSource source(std::vector<std::string>(10, "ok"));
  source.fail_at = 6;
  ListSink sink;
  const auto totals = RunBatch(engine, source, sink, {.jobs = 1});
  ASSERT_FALSE(totals);
  EXPECT_THAT(totals.error().message, HasSubstr("source"));
  EXPECT_EQ(sink.numbers, UpTo(6));
}

TEST(RunBatchTest, OptionsOutOfRange) {
  FakeEngine engine;
  ListSource source({"ok"});
  ListSink sink;
  for (const BatchOptions& options : {BatchOptions{.jobs = -1}, BatchOptions{.jobs = kBatchJobsMax + 1},
                                      BatchOptions{.ahead_max = 0}, BatchOptions{.held_bytes_max = 0}}) {
    const auto totals = RunBatch(engine, source, sink, options);
    ASSERT_FALSE(totals);
    EXPECT_EQ(totals.error().code, ErrorCode::kInvalidRequest);
  }
  EXPECT_EQ(source.asked, 0U);
}

}  // namespace
}  // namespace casemate
