#include "isolation/process/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace casemate::process {
namespace {

using testing::HasSubstr;

const NotEnforced* Gap(const EnforcementReport& report, std::string_view guarantee) {
  const auto found = std::ranges::find(report.not_enforced, guarantee, &NotEnforced::guarantee);
  return found == report.not_enforced.end() ? nullptr : &*found;
}

Host Ordinary(int landlock_abi) {
  Host host;
  host.landlock_abi = landlock_abi;
  host.ids.why_not = "shared";
  host.ids.remedy = "container";
  return host;
}

Host OfRoot(int landlock_abi) {
  Host host = Ordinary(landlock_abi);
  host.ids.kind = IdSource::Kind::kDirect;
  return host;
}

TEST(ProcessAdmissionTest, RefusesWithoutLandlock) {
  const auto report = AdmitOn(Ordinary(0), Policy{});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message, HasSubstr("lsm=landlock"));
}

TEST(ProcessAdmissionTest, NeverClaimsWhatOnlyNamespacesHold) {
  for (const Host& host : {Ordinary(7), OfRoot(7), OfRoot(1)}) {
    const auto report = AdmitOn(host, Policy{});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->tier, Tier::kProcess);
    for (const char* guarantee : {"filesystem", "pid_space", "disk"}) {
      const NotEnforced* gap = Gap(*report, guarantee);
      ASSERT_NE(gap, nullptr) << guarantee;
      EXPECT_NE(gap->fallback, "") << guarantee;
    }
  }
}

TEST(ProcessAdmissionTest, AnOrdinaryUserSharesItsId) {
  const auto report = AdmitOn(Ordinary(7), Policy{});
  ASSERT_TRUE(report);
  EXPECT_NE(Gap(*report, "identity"), nullptr);
  EXPECT_NE(Gap(*report, "processes"), nullptr);
  EXPECT_EQ(Gap(*report, "teardown"), nullptr);
  const auto root = AdmitOn(OfRoot(7), Policy{});
  EXPECT_EQ(Gap(*root, "identity"), nullptr);
  EXPECT_EQ(Gap(*root, "processes"), nullptr);
}

// What the program could signal cannot be relied on to end it.
TEST(ProcessAdmissionTest, ClaimsNoEndThatTheProgramCanPrevent) {
  const auto report = AdmitOn(Ordinary(5), Policy{});
  ASSERT_TRUE(report);
  for (const char* guarantee : {"wall_time", "teardown"}) {
    const NotEnforced* gap = Gap(*report, guarantee);
    ASSERT_NE(gap, nullptr) << guarantee;
    EXPECT_THAT(gap->remedy, HasSubstr("6.12"));
  }
  const auto root = AdmitOn(OfRoot(5), Policy{});
  EXPECT_EQ(Gap(*root, "wall_time"), nullptr);
  EXPECT_EQ(Gap(*root, "teardown"), nullptr);
}

TEST(ProcessAdmissionTest, RequiredLimitsAreARefusal) {
  Policy policy;
  policy.require_limits = true;
  const auto report = AdmitOn(OfRoot(7), policy);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("cannot be guaranteed here"));
}

}  // namespace
}  // namespace casemate::process
