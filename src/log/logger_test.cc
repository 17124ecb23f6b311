#include "log/logger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "casemate/redactor.h"
#include "model/json.h"

namespace casemate {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class LoggerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> fds{};
    ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_end_ = UniqueFd(fds[0]);
    write_end_ = UniqueFd(fds[1]);
  }
  std::string Read() const {
    std::array<char, 65536> bytes{};
    const ssize_t count = ::read(read_end_.get(), bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(count > 0 ? count : 0)};
  }
  Logger Make(LogLevel level, LogFormat format, Logger::Clean clean = nullptr) const {
    return {write_end_.get(), level, format, std::move(clean)};
  }

  UniqueFd read_end_;
  UniqueFd write_end_;
};

TEST_F(LoggerTest, WritesLogfmt) {
  Logger logger = Make(LogLevel::kInfo, LogFormat::kLogfmt);
  logger.Log(LogLevel::kInfo, "a run has ended", {{"id", "run-1"}, {"why", "a \"b\"\nc"}, {"none", ""}});
  EXPECT_THAT(Read(), MatchesRegex("time=2[0-9T:.-]+Z level=info msg=\"a run has ended\" id=run-1 "
                                   "why=\"a ..b..\\\\nc\" none=\"\"\n"));
}

TEST_F(LoggerTest, WritesJson) {
  Logger logger = Make(LogLevel::kInfo, LogFormat::kJson);
  logger.Log(LogLevel::kError, "x\ny", {{"id", "\xff"}});
  const std::string line = Read();
  EXPECT_TRUE(ParseJson(line, {.bytes_max = 1000, .depth_max = 4}));
  EXPECT_THAT(line, HasSubstr(R"("level":"error","msg":"x\ny","id":")"));
  EXPECT_THAT(line, EndsWith("}\n"));
}

TEST_F(LoggerTest, LeavesOutWhatIsBelowItsLevel) {
  Logger logger = Make(LogLevel::kWarning, LogFormat::kJson);
  logger.Log(LogLevel::kInfo, "nothing");
  EXPECT_EQ(Read(), "");
  logger.Log(LogLevel::kWarning, "something");
  EXPECT_THAT(Read(), HasSubstr("something"));
  EXPECT_FALSE(ParseLogLevel("loud"));
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
}

TEST_F(LoggerTest, CleansWhatItIsGiven) {
  const auto redactor = MakeRedactor({}, {});
  ASSERT_TRUE(redactor);
  Logger logger = Make(LogLevel::kInfo, LogFormat::kLogfmt, [&redactor](std::string_view text) {
    return std::string((*redactor)->Text(text, "log").text());
  });
  logger.Log(LogLevel::kInfo, "asked with AKIAQX7LPGHT2MNVBZRW",
             {{"address", "postgres://user:hunter2secret@db.example/x"}});
  const std::string line = Read();
  EXPECT_THAT(line, Not(HasSubstr("AKIAQX7LPGHT2MNVBZRW")));
  EXPECT_THAT(line, Not(HasSubstr("hunter2secret")));
  EXPECT_THAT(line, StartsWith("time="));
}

TEST_F(LoggerTest, DropsAndCountsWhatNobodyReads) {
  Logger logger = Make(LogLevel::kInfo, LogFormat::kLogfmt);
  const std::string long_text(4000, 'x');
  const std::int64_t begin_us = MonotonicUs();
  while (logger.dropped() < 2) logger.Log(LogLevel::kInfo, long_text);
  EXPECT_LT(MonotonicUs() - begin_us, 20 * 1'000'000);
  while (!Read().empty()) {
  }
  logger.Log(LogLevel::kInfo, "again");
  EXPECT_THAT(Read(), testing::AllOf(HasSubstr("lines=2"), HasSubstr("msg=again")));
}

}  // namespace
}  // namespace casemate
