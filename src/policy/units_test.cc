#include "policy/units.h"

#include <gtest/gtest.h>

#include "casemate/limits.h"

namespace casemate {
namespace {

TEST(Units, Bytes) {
  const std::pair<const char*, std::int64_t> good[] = {
      {"0", 0},     {"1024", 1024},      {"512k", 512 * kKiB},  {"128m", 128 * kMiB},
      {"1g", kGiB}, {"2T", 2048 * kGiB}, {"1.5g", 1536 * kMiB}, {"10b", 10},
      {"10B", 10},  {"4kb", 4 * kKiB},   {"4KiB", 4 * kKiB},    {"1GIB", kGiB},
      {".5k", 512}, {"1.k", kKiB}};
  for (const auto& [text, bytes] : good) EXPECT_EQ(ParseBytes(text), bytes) << text;
  for (const char* text : {"", "m", "-1", "+1", "1e3", "1 m", "1mm", "1x", "1ib", "1.2.3", ".", "0x10", "inf",
                           "nan", "1m ", " 1m", "99999999999g", "1bb", "1kbi"}) {
    ASSERT_FALSE(ParseBytes(text)) << text;
    EXPECT_EQ(ParseBytes(text).error().code, ErrorCode::kInvalidRequest);
  }
  EXPECT_EQ(ParseBytes("12 apples").error().message,
            "\"12 apples\" is not a size; write bytes or a number with k, m, g or t, like 128m.");
}

TEST(Units, Durations) {
  const std::pair<const char*, std::int64_t> good[] = {
      {"0", 0},       {"2", 2000},       {"0.5", 500},        {"10s", 10'000},          {"500ms", 500},
      {"1m", 60'000}, {"1m30s", 90'000}, {"1.5h", 5'400'000}, {"1h1m1s1ms", 3'661'001}, {"0.4ms", 0},
      {"0.6ms", 1}};
  for (const auto& [text, ms] : good) EXPECT_EQ(ParseDurationMs(text), ms) << text;
  for (const char* text :
       {"", "s", "-1s", "1d", "1 s", "1m30", "1e3", "10ss", "1s ", "inf", "nan", "99999999999999h"}) {
    EXPECT_FALSE(ParseDurationMs(text)) << text;
  }
}

TEST(Units, Cpus) {
  EXPECT_EQ(ParseCpus("0.5"), 0.5);
  EXPECT_EQ(ParseCpus("2"), 2.0);
  for (const char* text : {"", "0", "-1", "1e3", "two", "1.", "0.0"}) {
    EXPECT_EQ(ParseCpus(text).has_value(), std::string_view(text) == "1.") << text;
  }
}

TEST(Units, FormattingReadsBack) {
  for (const std::int64_t ms : {0L, 1L, 999L, 1000L, 1250L, 30'000L, 59'999L, 60'000L, 90'000L, 3'600'000L,
                                3'661'001L, 86'400'000L}) {
    EXPECT_EQ(ParseDurationMs(FormatDuration(ms)), ms) << FormatDuration(ms);
  }
  EXPECT_EQ(FormatDuration(90'000), "1m30s");
  EXPECT_EQ(FormatDuration(500), "500ms");
  EXPECT_EQ(FormatDuration(1250), "1.25s");
  EXPECT_EQ(FormatBytes(17), "17 bytes");
  EXPECT_EQ(FormatBytes(256 * kMiB), "256 MiB");
  EXPECT_EQ(FormatBytes(1536 * kMiB), "1.5 GiB");
  EXPECT_EQ(FormatBytes(kKiB), "1 KiB");
  EXPECT_EQ(FormatBytes(2048 * kGiB), "2 TiB");
}

}  // namespace
}  // namespace casemate
