#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/exposition.h"
#include "metrics/metered_engine.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Not;

// Gives the same result to everyone.
class ScriptedEngine : public Engine {
 public:
  ExecutionResult Execute(const ExecutionRequest& /*request*/, EventSink* /*sink*/, int /*cancel_fd*/,
                          CancelWhen /*cancel_when*/) override {
    return result;
  }
  std::vector<PoolStatus> Pools() const override {
    return {{.environment = "host", .cells_ready = 3, .cells_running = 1, .cells_max = 16, .taken = 7}};
  }
  ExecutionResult result;
};

TEST(ExpositionTest, EscapesLabels) {
  Exposition out;
  out.Family("a_total", "counter", "Help.");
  out.Sample({{"l", "a\"b\\c\nd"}}, 1.5);
  EXPECT_EQ(std::move(out).Take(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{l=\"a\\\"b\\\\c\\nd\"} 1.5\n");
}

TEST(ExpositionTest, CountsIntoCumulativeBuckets) {
  Histogram histogram{1, 2};
  for (const double value : {0.5, 1.0, 1.5, 9.0}) histogram.Observe(value);
  Exposition out;
  out.Family("h", "histogram", "Help.");
  histogram.Write(out, {});
  EXPECT_THAT(
      std::move(out).Take(),
      HasSubstr(
          "h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 12\nh_count 4\n"));
}

TEST(MeteredEngineTest, CountsWhatAnEngineDoes) {
  ScriptedEngine engine;
  MeteredEngine metered(engine, "1.2.3");
  engine.result.status = Status::kTimeout;
  engine.result.isolation.enforced = {{"wall_time", "x"}};
  engine.result.denials = {{"network", "connect", 3, ""}, {"made up by\nsomebody", "", 1, ""}};
  engine.result.timings = {{"plan", 120}, {"a name of the program's own", 1}};
  engine.result.usage.cpu_ms = 1500;
  engine.result.redactions = {{"jwt", "stdout", 2, 0}, {"known:MINE", "stdout", 1, 9}};
  ExecutionRequest request;
  request.origin.surface = "http";
  (void)metered.Execute(request, nullptr, -1, CancelWhen::kReadable);
  (void)metered.Execute(request, nullptr, -1, CancelWhen::kReadable);
  const std::string text = metered.Text();
  EXPECT_THAT(text,
              HasSubstr("casemate_runs_total{status=\"timeout\",tier=\"container\",surface=\"http\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("casemate_runs_running 0\n"));
  EXPECT_THAT(text, HasSubstr("casemate_denials_total{kind=\"network\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("casemate_denials_total{kind=\"other\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("casemate_redactions_total{rule=\"jwt\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("casemate_redactions_total{rule=\"known\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("MINE")));
  EXPECT_THAT(text, HasSubstr("casemate_limits_hit_total{limit=\"wall_time\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("casemate_run_step_seconds_bucket{step=\"plan\",le=\"0.00025\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("casemate_sandbox_cpu_seconds_total 3\n"));
  EXPECT_THAT(text, HasSubstr("casemate_pool_cells{environment=\"host\",state=\"ready\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("casemate_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("program's own")));
  EXPECT_THAT(text, Not(HasSubstr("made up")));
}

}  // namespace
}  // namespace casemate
