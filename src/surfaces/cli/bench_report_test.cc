#include "surfaces/cli/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/json.h"
#include "surfaces/cli/bench_options.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

BenchReport Measured() {
  Meter meter;
  for (int i = 1; i <= 100; ++i) {
    ExecutionResult result;
    result.status = i == 7 ? Status::kError : Status::kOk;
    result.timings = {{"plan", i}, {"run", 10L * i}};
    meter.Add(i == 100 ? 2'500'000 : 20 * i, result);
  }
  return {"warm", "print(1)\n\x1b[2J", 200, 2, 0.5, meter.Report()};
}

TEST(BenchReportTest, TableHasTheWholeAndEachStep) {
  const std::string text = BenchTable(Measured(), {}, true);
  EXPECT_THAT(text, HasSubstr("warm engine, 2 clients: print(1)\\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("100/200  200/s  ok 99  error 1"));
  EXPECT_THAT(text, HasSubstr("whole run            1.00 ms   1.80 ms   1.98 ms     20 µs    2.50 s\n"));
  EXPECT_THAT(text, HasSubstr("  plan                 50 µs     90 µs     99 µs      1 µs    100 µs\n"));
  EXPECT_LT(text.find("  plan"), text.find("  run"));
}

TEST(BenchReportTest, PlainTextIsAscii) {
  const BenchReport report = Measured();
  for (const char c : BenchTable(report, {}, false) + BenchHistogram(report, {}, false)) EXPECT_GE(c, 0);
}

TEST(BenchReportTest, HistogramShowsEveryRun) {
  const std::string text = BenchHistogram(Measured(), {}, true);
  std::int64_t sum = 0;
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size(); ++lines) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    const std::size_t space = line.rfind(' ');
    if (line.find("┤") + 3 < line.size()) sum += std::stoll(line.substr(space + 1));
    at = end + 1;
  }
  EXPECT_EQ(sum, 100);
  EXPECT_LE(lines, 24U);
  EXPECT_EQ(BenchHistogram({}, {}, true), "");
}

TEST(BenchReportTest, JsonHoldsTheSame) {
  const std::string text = BenchJson(Measured());
  ASSERT_TRUE(ParseJson(text));
  EXPECT_THAT(text, HasSubstr(R"("runs":100,"clients":2,"seconds":0.5,"rate":200,)"));
  EXPECT_THAT(text, HasSubstr(R"("statuses":{"ok":99,"error":1})"));
  EXPECT_THAT(text, HasSubstr(R"("whole":{"count":100,"min_us":20,)"));
  EXPECT_THAT(text, HasSubstr(R"("p50_us":1000,"p75_us":1500,"p90_us":1800,)"));
  EXPECT_THAT(text, HasSubstr(R"({"step":"plan","count":100,"min_us":1,)"));
  EXPECT_TRUE(ParseJson(BenchJson({})));
}

TEST(BenchOptionsTest, Flags) {
  const auto options = ParseBenchOptions(
      {"--rounds", "7", "--clients=3", "--preload", "json,numpy", "--json", "--python", "/p", "app.py"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->rounds, 7);
  EXPECT_EQ(options->clients, 3);
  EXPECT_EQ(options->engine, BenchOptions::Engine::kWarm);
  EXPECT_THAT(options->run.engine.warm.preload, ElementsAre("json", "numpy"));
  EXPECT_TRUE(options->json);
  EXPECT_EQ(options->run.engine.python, "/p");
  EXPECT_EQ(options->program, "app.py");
  EXPECT_EQ(ParseBenchOptions({})->program, "pass");
  EXPECT_EQ(ParseBenchOptions({})->rounds, 1000);
  EXPECT_EQ(ParseBenchOptions({"--cold"})->rounds, 100);
  EXPECT_TRUE(ParseBenchOptions({"-c", "x"})->program_is_code);
  EXPECT_TRUE(ParseBenchOptions({"-h"})->help);
}

TEST(BenchOptionsTest, BadFlags) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--rouns", "7"}, "did you mean \"--rounds\""},
      {{"--rounds", "0"}, "1 to"},
      {{"--rounds"}, "needs a value"},
      {{"--json=1"}, "takes no value"},
      {{"--warm", "--cold"}, "either warm or cold"},
      {{"--cold", "--preload", "json"}, "either warm or cold"},
      {{"--engine", "/s", "--warm"}, "choose one"},
      {{"--preload", "a,,b"}, "one comma"},
      {{"a", "b"}, "second program"},
      {{"-c"}, "needs a value"},
      {{"-x"}, "has no \"-x\""},
  };
  for (const auto& [words, says] : cases) {
    const auto options = ParseBenchOptions(words);
    ASSERT_FALSE(options) << words[0];
    EXPECT_THAT(options.error().message, HasSubstr(says));
    EXPECT_EQ(options.error().code, ErrorCode::kInvalidRequest);
  }
}

}  // namespace
}  // namespace casemate
