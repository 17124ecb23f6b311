#include "policy/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace casemate {
namespace {

using testing::HasSubstr;

std::string Refusal(const std::string& name, double value) {
  const auto limits = OverrideLimits({}, {{name, value}});
  return limits ? "" : limits.error().message;
}

TEST(LimitTable, HoldsEveryFieldOnceAndItsOwn) {
  // One value a field; a member that two rows share, or a field without a row, changes the whole.
  Limits limits;
  double value = 1;
  for (const LimitField& field : LimitTable()) SetLimit(limits, field, value++);
  EXPECT_EQ(limits, (Limits{1, 2, 3.0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}));
  value = 1;
  for (const LimitField& field : LimitTable()) {
    EXPECT_EQ(GetLimit(limits, field), value++) << field.name;
    EXPECT_EQ(FindLimit(field.name), &field);
    EXPECT_FALSE(field.help.empty() || field.min_reason.empty() || field.max_reason.empty());
  }
  EXPECT_EQ(FindLimit("memory"), nullptr);
}

TEST(Limits, TheDefaultsAreValid) { EXPECT_TRUE(ValidateLimits({})); }

TEST(Limits, EachHoldsItsBounds) {
  for (const LimitField& field : LimitTable()) {
    const std::string name(field.name);
    EXPECT_EQ(Refusal(name, field.min), "");
    EXPECT_EQ(Refusal(name, field.max), "");
    const double step = field.is_whole() ? 1 : 0.001;
    EXPECT_THAT(Refusal(name, field.min - step), HasSubstr(name + " is ")) << name;
    EXPECT_THAT(Refusal(name, field.min - step), HasSubstr(std::string(field.min_reason)));
    EXPECT_THAT(Refusal(name, field.max + step), HasSubstr(std::string(field.max_reason)));
    EXPECT_THAT(Refusal(name, std::nan("")), HasSubstr(name + " is not a number"));
    for (const double value : {-1.0, -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::infinity(), 1e300, -1e300}) {
      EXPECT_NE(Refusal(name, value), "") << name << " " << value;
    }
    EXPECT_EQ(Refusal(name, field.min + 0.5).empty(), !field.is_whole()) << name;

    Limits limits;
    SetLimit(limits, field, field.min - (field.is_whole() ? 1 : 0.005));
    EXPECT_FALSE(ValidateLimits(limits)) << name;
  }
}

TEST(Limits, RefusalsAreOneSentenceWithARemedy) {
  EXPECT_EQ(Refusal("memory_bytes", 1024),
            "memory_bytes is 1024 (1 KiB), but must be from 16777216 (16 MiB) to 1099511627776 (1 TiB): an "
            "interpreter does not start in less.");
  EXPECT_EQ(Refusal("wall_time_ms", 1.5), "wall_time_ms is 1.5, but must be a whole number; round it.");
  EXPECT_EQ(Refusal("processes_max", 1),
            "processes_max is 1, but must be from 2 to 65536: the sandbox's init and the program are two.");
  EXPECT_EQ(Refusal("memory", 1), "There is no limit named \"memory\"; did you mean \"memory_bytes\"?");
  EXPECT_EQ(Refusal("wall_time", 1), "There is no limit named \"wall_time\"; did you mean \"wall_time_ms\"?");
  EXPECT_EQ(Refusal("open_fles_max", 1),
            "There is no limit named \"open_fles_max\"; did you mean \"open_files_max\"?");
  EXPECT_THAT(Refusal("xyzzy", 1), HasSubstr("known are \"wall_time_ms\", \"cpu_time_ms\""));
}

TEST(Limits, MootCombinationsAreAllowed) {
  EXPECT_TRUE(OverrideLimits({}, {{"tmp_bytes", 1024.0 * kMiB}, {"memory_bytes", 64.0 * kMiB}}));
  EXPECT_TRUE(OverrideLimits({}, {{"cpu_time_ms", 86'400'000}, {"wall_time_ms", 1}}));
}

TEST(Limits, Formatting) {
  EXPECT_EQ(FormatLimit(*FindLimit("memory_bytes"), 256.0 * kMiB), "256 MiB");
  EXPECT_EQ(FormatLimit(*FindLimit("wall_time_ms"), 30'000), "30s");
  EXPECT_EQ(FormatLimit(*FindLimit("cpus"), 0.5), "0.5 CPUs");
  EXPECT_EQ(FormatLimit(*FindLimit("processes_max"), 64), "64");
}

}  // namespace
}  // namespace casemate
