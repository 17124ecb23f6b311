#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "surfaces/cli/top_text.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kBefore =
    "# HELP casemate_runs_total Runs.\n# TYPE casemate_runs_total counter\n"
    "casemate_runs_total{status=\"ok\",tier=\"container\",surface=\"http\"} 10\n";
constexpr std::string_view kNow =
    "casemate_runs_total{status=\"ok\",tier=\"container\",surface=\"http\"} 30\n"
    "casemate_runs_total{status=\"timeout\",tier=\"container\",surface=\"http\"} 2\n"
    "casemate_runs_running 4\n"
    "casemate_run_duration_seconds_bucket{surface=\"http\",le=\"0.01\"} 10\n"
    "casemate_run_duration_seconds_bucket{surface=\"http\",le=\"0.1\"} 22\n"
    "casemate_run_duration_seconds_bucket{surface=\"http\",le=\"+Inf\"} 22\n"
    "casemate_pool_cells{environment=\"host\",state=\"ready\"} 3\n"
    "casemate_pool_cells_max{environment=\"host\"} 16\n"
    "casemate_build_info{version=\"1.2.3\"} 1\n";

TEST(TopTest, ReadsMetricsAndLeavesOutWhatIsNone) {
  const TopSample sample = ReadMetrics("# a comment\na 1\nb{c=\"d e\"} 2.5\nnothing\nbad x\n\n", 7);
  EXPECT_EQ(sample.at_us, 7);
  EXPECT_EQ(sample.series.size(), 2U);
  EXPECT_EQ(sample.series.at("b{c=\"d e\"}"), 2.5);
}

TEST(TopTest, TellsRatesBetweenTwoLooks) {
  const std::string text = TopText(ReadMetrics(kBefore, 0), ReadMetrics(kNow, 2'000'000), {});
  EXPECT_THAT(text, HasSubstr("casemate 1.2.3"));
  EXPECT_THAT(text, HasSubstr("4 running   11.0 runs/s"));
  EXPECT_THAT(text, HasSubstr("ok                       30       10.0\n"));
  EXPECT_THAT(text, HasSubstr("timeout                   2        1.0\n"));
  EXPECT_THAT(text, HasSubstr("p50 ≤ 100 ms"));
  EXPECT_THAT(text, HasSubstr("3 of 16 cells ready, 0 running"));
}

TEST(TopTest, ShowsNothingThatATerminalWouldObey) {
  const std::string text = TopText({}, ReadMetrics("casemate_denials_total{kind=\"\x1b[2J\"} 1\n", 1), {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace casemate
