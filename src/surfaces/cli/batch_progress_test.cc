#include "surfaces/cli/batch_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BatchProgress Halfway() {
  BatchProgress progress;
  progress.totals.items = 40;
  progress.totals.by_status = {{Status::kOk, 30}, {Status::kError, 9}, {Status::kTimeout, 1}};
  progress.totals.cpu_ms = 12'345;
  progress.totals.wall_ms = 130'000;
  progress.totals.memory_peak_bytes = 48 * kMiB;
  progress.skipped = 10;
  progress.items = 100;
  progress.seconds = 20;
  return progress;
}

TEST(BatchProgressTest, BarTellsHowFarItIs) {
  const std::string bar = ProgressBar(Halfway(), {.columns = 200}, true);
  EXPECT_EQ(bar, "████████████░░░░░░░░░░░░   50%  50/100  2.0/s  eta 25 s  ok 30  error 9  timeout 1");
  EXPECT_THAT(ProgressBar(Halfway(), {.columns = 200}, false), HasSubstr("[############............]   50%"));
  EXPECT_THAT(ProgressBar(Halfway(), {.colour = true, .columns = 200}, true), HasSubstr("\x1b[33merror 9"));
}

TEST(BatchProgressTest, BarFitsTheTerminal) {
  for (std::size_t columns = 20; columns < 120; ++columns) {
    EXPECT_LT(ProgressBar(Halfway(), {.columns = columns}, false).size(), columns);
  }
}

TEST(BatchProgressTest, BarOfEveryShare) {
  BatchProgress progress = Halfway();
  progress.skipped = 0;
  for (std::int64_t done = 0; done <= 100; ++done) {
    progress.totals.items = done;
    const std::string bar = ProgressBar(progress, {.columns = 200}, false);
    EXPECT_EQ(bar.find(']'), 25U) << bar;
    EXPECT_THAT(bar, HasSubstr(std::to_string(done) + "/100"));
  }
}

TEST(BatchProgressTest, WithoutACountTheBytesTell) {
  BatchProgress progress = Halfway();
  progress.items.reset();
  EXPECT_EQ(ProgressText(progress), "50 done, 2.0 a second: 30 ok, 9 error, 1 timeout");
  progress.share_read = 0.8;
  EXPECT_THAT(ProgressText(progress), HasSubstr("5.0 s left"));
  EXPECT_THAT(ProgressBar(progress, {.columns = 200}, false), HasSubstr(" 80%  50  2.0/s"));
}

TEST(BatchProgressTest, OfNothing) {
  EXPECT_EQ(ProgressText({}), "0 done, 0.0 a second");
  EXPECT_EQ(ProgressBar({.items = 0}, {.columns = 200}, false),
            "[########################]  100%  0/0  0.0/s");
}

TEST(BatchProgressTest, Summary) {
  BatchProgress progress = Halfway();
  const std::string text = BatchSummary(progress, {});
  EXPECT_THAT(text, HasSubstr("40 items in 20 s (2.0 a second): 30 ok, 9 error, 1 timeout\n"));
  EXPECT_THAT(text, HasSubstr("12 s of CPU time and 2 min 10 s of wall time in all"));
  EXPECT_THAT(text, HasSubstr("48 MiB"));
  EXPECT_THAT(text, HasSubstr("10 items had their result already"));
  EXPECT_THAT(text, Not(HasSubstr("cancelled")));
  progress.totals.cancelled = true;
  EXPECT_THAT(BatchSummary(progress, {}), HasSubstr("cancelled"));
}

}  // namespace
}  // namespace casemate
