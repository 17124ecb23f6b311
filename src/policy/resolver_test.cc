#include "policy/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/limit_table.h"
#include "policy/profile.h"

namespace casemate {
namespace {

using testing::HasSubstr;

std::string Refusal(std::string_view toml) {
  const auto policy = ParseProfile("p", toml);
  return policy ? "" : policy.error().message;
}

TEST(Resolver, TheDefaultProfileIsTheDefaults) {
  const auto parsed = ParseProfile("default", PolicyResolver::ProfileText("default"));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, Policy{});
  EXPECT_EQ(PolicyResolver().Resolve("default", {}, false), Policy{});
}

TEST(Resolver, EveryBuiltInProfileIsValidAndGivesItsReasons) {
  for (const std::string_view name : PolicyResolver::ProfileNames()) {
    const auto policy = PolicyResolver().Resolve(name, {}, false);
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->name, name);
    const std::string_view text = PolicyResolver::ProfileText(name);
    for (const LimitField& field : LimitTable()) {
      const auto line = text.find("\n" + std::string(field.name) + " = ");
      if (line == std::string_view::npos) {
        EXPECT_EQ(GetLimit(policy->limits, field), GetLimit(Limits{}, field)) << name << " " << field.name;
      } else {
        EXPECT_THAT(std::string(text.substr(line + 1, text.find('\n', line + 1) - line)),
                    HasSubstr("reason = \""));
      }
    }
  }
  const auto data = PolicyResolver().Resolve("data", {}, false);
  EXPECT_EQ(data->limits.memory_bytes, 2 * kGiB);
  EXPECT_EQ(data->limits.cpus, 2.0);
  EXPECT_EQ(data->limits.wall_time_ms, 120'000);
  const auto strict = PolicyResolver().Resolve("strict", {}, false);
  EXPECT_TRUE(strict->require_limits);
  EXPECT_LT(strict->limits.memory_bytes, Limits{}.memory_bytes);
}

TEST(Resolver, OverridesWinAndAreValidated) {
  const auto policy = PolicyResolver().Resolve("strict", {{"cpus", 1.5}, {"cpu_time_ms", 700}}, true);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->limits.cpus, 1.5);
  EXPECT_EQ(policy->limits.cpu_time_ms, 700);
  EXPECT_TRUE(PolicyResolver().Resolve("default", {}, true)->require_limits);
  EXPECT_EQ(PolicyResolver().Resolve("default", {{"cpus", 0}}, false).error().code,
            ErrorCode::kInvalidRequest);
}

TEST(Resolver, UnknownProfilesAreNamed) {
  const auto near = PolicyResolver().Resolve("strikt", {}, false);
  ASSERT_FALSE(near);
  EXPECT_EQ(near.error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(near.error().message, "There is no policy named \"strikt\"; did you mean \"strict\"?");
  EXPECT_EQ(PolicyResolver().Resolve("../../etc/passwd", {}, false).error().message,
            "There is no policy named \"../../etc/passwd\"; known are \"default\", \"strict\", \"data\", "
            "\"recorded\".");
  EXPECT_EQ(PolicyResolver::ProfileText("none"), "");
}

TEST(Profile, ValuesInEveryForm) {
  const auto policy = ParseProfile("p", R"(
require_limits = true
[limits]
wall_time_ms = 5000
memory_bytes = "64m"
tmp_bytes = 8192.0
cpus = { value = "0.5", reason = "shared" }
cpu_time_ms = { value = "1m" }
)");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->name, "p");
  EXPECT_TRUE(policy->require_limits);
  EXPECT_EQ(policy->limits.wall_time_ms, 5000);
  EXPECT_EQ(policy->limits.memory_bytes, 64 * kMiB);
  EXPECT_EQ(policy->limits.tmp_bytes, 8192);
  EXPECT_EQ(policy->limits.cpus, 0.5);
  EXPECT_EQ(policy->limits.cpu_time_ms, 60'000);
  EXPECT_EQ(policy->limits.processes_max, Limits{}.processes_max);
  EXPECT_TRUE(ParseProfile("e", R"(description = "caf\u00e9")"));
  EXPECT_EQ(ParseProfile("e", "").value().limits, Limits{});
}

TEST(Profile, RefusalsSayWhereAndWhatInstead) {
  EXPECT_EQ(Refusal("\n  limts = 1\n"),
            "Profile \"p\", line 2, column 3: there is no key \"limts\" here; did you mean \"limits\"?");
  EXPECT_EQ(
      Refusal("[limits]\nmemory = 1"),
      "Profile \"p\", line 2, column 1: there is no limit named \"memory\"; did you mean \"memory_bytes\"?");
  EXPECT_EQ(Refusal("[limits]\ncpus = { value = 1, reson = \"x\" }"),
            "Profile \"p\", line 2, column 21: there is no key \"reson\" here; did you mean \"reason\"?");
  EXPECT_EQ(
      Refusal("[limits]\nprocesses_max = 1"),
      "Profile \"p\", line 2, column 17: processes_max is 1, but must be from 2 to 65536: the sandbox's init "
      "and the program are two.");
  EXPECT_THAT(Refusal("limits = 3"), HasSubstr("limits must be a table; write [limits]."));
  EXPECT_THAT(Refusal("network = \"host\""), HasSubstr("allow:api.example.com"));
  EXPECT_THAT(Refusal("require_limits = 1"), HasSubstr("true or false"));
  EXPECT_THAT(Refusal("description = 1"), HasSubstr("put it in quotes"));
  EXPECT_THAT(Refusal("[limits]\nprocesses_max = \"8\""),
              HasSubstr("is a count; write it as a plain number"));
  EXPECT_THAT(Refusal("[limits]\nmemory_bytes = \"lots\""), HasSubstr("\"lots\" is not a size"));
  EXPECT_THAT(Refusal("[limits]\nmemory_bytes = true"),
              HasSubstr("must be a number or a string with a unit"));
  EXPECT_THAT(Refusal("[limits]\nmemory_bytes = { reason = \"x\" }"), HasSubstr("has no value"));
  EXPECT_THAT(Refusal("[limits]\nmemory_bytes = { value = { value = 1 } }"), HasSubstr("has no value"));
  EXPECT_THAT(Refusal("[limits]\nmemory_bytes = { value = 1, reason = 2 }"),
              HasSubstr("a reason is a string"));
  EXPECT_THAT(Refusal("[limits]\ncpus = nan"), HasSubstr("cpus is not a number"));
  EXPECT_THAT(Refusal("[limits]\nwall_time_ms = inf"), HasSubstr("but must be from"));
  EXPECT_THAT(Refusal("[limits\n"), HasSubstr("line 1"));
  EXPECT_THAT(Refusal("[(0"), HasSubstr("the text is not TOML"));
  EXPECT_THAT(Refusal("a = 1\na = 2"), HasSubstr("the text is not TOML"));
  EXPECT_THAT(Refusal("\n\xff"), HasSubstr("line 2: a profile is ASCII text"));
  EXPECT_THAT(Refusal(std::string_view("\u03d2\0#", 4)), HasSubstr("line 1: a profile is ASCII text"));
  EXPECT_THAT(Refusal(std::string(300'000, '#')), HasSubstr("at most 262144"));
  EXPECT_NE(Refusal("a = " + std::string(100'000, '[')), "");
}

}  // namespace
}  // namespace casemate
