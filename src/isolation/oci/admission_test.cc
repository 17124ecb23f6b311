#include "isolation/oci/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace casemate::oci {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Root, without cgroups.
Host RootHost() {
  Host host;
  host.ids.kind = IdSource::Kind::kDirect;
  return host;
}

Runtime Gvisor() { return {RuntimeKind::kRunsc, "/usr/bin/runsc", "release-1", "systrap"}; }

std::string MechanismOf(const EnforcementReport& report, PolicyClause clause) {
  const auto found = std::ranges::find(report.enforced, PolicyClauseName(clause), &Enforced::guarantee);
  return found == report.enforced.end() ? "" : found->mechanism;
}

std::string FallbackOf(const EnforcementReport& report, PolicyClause clause) {
  const auto found =
      std::ranges::find(report.not_enforced, PolicyClauseName(clause), &NotEnforced::guarantee);
  return found == report.not_enforced.end() ? "is enforced" : found->fallback;
}

TEST(OciAdmissionTest, AnswersEveryClauseWithVersionAndPlatform) {
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const auto report = AdmitOn(RootHost(), {kind, "/x", "1.2.3", "systrap"}, Policy{});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->tier, TierOf(kind));
    EXPECT_THAT(report->enforced, SizeIs(kAllPolicyClauses.size() - report->not_enforced.size()));
    EXPECT_THAT(MechanismOf(*report, PolicyClause::kSyscalls), HasSubstr(" 1.2.3, platform systrap"));
  }
}

TEST(OciAdmissionTest, TellsWhatAHostWithoutCgroupsLacks) {
  const auto report = AdmitOn(RootHost(), Gvisor(), Policy{});
  ASSERT_TRUE(report);
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kMemory), IsEmpty());
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kProcesses), HasSubstr("gVisor")) << "its own kernel counts";
  Policy strict;
  strict.require_limits = true;
  EXPECT_FALSE(AdmitOn(RootHost(), Gvisor(), strict));
}

TEST(OciAdmissionTest, TellsWhatASharedFolderWeakens) {
  Policy policy;
  policy.shares_host_folder = true;
  policy.writes_host_folder = true;
  const auto gvisor = AdmitOn(RootHost(), Gvisor(), policy);
  const auto crun = AdmitOn(RootHost(), {RuntimeKind::kCrun, "/x", "1", ""}, policy);
  ASSERT_TRUE(gvisor && crun);
  EXPECT_THAT(MechanismOf(*gvisor, PolicyClause::kNetwork), HasSubstr("--host-uds=none"));
  EXPECT_THAT(MechanismOf(*crun, PolicyClause::kNetwork), IsEmpty());
  for (const auto* report : {&*gvisor, &*crun}) {
    EXPECT_THAT(MechanismOf(*report, PolicyClause::kDisk), IsEmpty());
    EXPECT_THAT(MechanismOf(*report, PolicyClause::kFileSize), IsEmpty());
  }
}

TEST(OciAdmissionTest, TellsOfTheWayToTheProxyAndWhatItMayHave) {
  Policy policy;
  policy.network.allow.emplace_back();
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const auto open = AdmitOn(RootHost(), {kind, "/x", "1", "systrap"}, policy);
    const auto closed = AdmitOn(RootHost(), {kind, "/x", "1", "systrap"}, Policy{});
    ASSERT_TRUE(open && closed);
    EXPECT_THAT(MechanismOf(*open, PolicyClause::kNetwork), HasSubstr("loopback alone"));
    EXPECT_THAT(MechanismOf(*open, PolicyClause::kNetwork), HasSubstr("egress proxy and its allowlist"));
    EXPECT_THAT(MechanismOf(*closed, PolicyClause::kNetwork), Not(HasSubstr("proxy")));
    EXPECT_THAT(MechanismOf(*open, PolicyClause::kProcesses), HasSubstr("one above it"));
    EXPECT_THAT(MechanismOf(*closed, PolicyClause::kProcesses), Not(HasSubstr("one above it")));
  }
}

TEST(OciAdmissionTest, TellsAnOrdinaryUserWhatTheContainerTierTells) {
  Host user;
  user.ids.kind = IdSource::Kind::kNewuidmap;
  for (const RuntimeKind kind : {RuntimeKind::kCrun, RuntimeKind::kRunc, RuntimeKind::kRunsc}) {
    const Runtime runtime = {kind, "/x", "1", "systrap"};
    const auto report = AdmitOn(user, runtime, Policy{});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_THAT(MechanismOf(*report, PolicyClause::kIdentity), HasSubstr("leased to this run"));
    EXPECT_THAT(MechanismOf(*report, PolicyClause::kProcesses), HasSubstr("RLIMIT_NPROC"));
    EXPECT_THAT(FallbackOf(*report, PolicyClause::kCpuTime), HasSubstr("sampled every 10 ms"));
    EXPECT_THAT(FallbackOf(*report, PolicyClause::kMemory), HasSubstr("RLIMIT_DATA"));
    EXPECT_THAT(FallbackOf(*report, PolicyClause::kCpuShare), IsEmpty());
    Policy strict;
    strict.require_limits = true;
    EXPECT_FALSE(AdmitOn(user, runtime, strict));
  }
}

TEST(OciAdmissionTest, TellsWhenTheProgramHasTheCallersOwnId) {
  Host one;
  one.ids.kind = IdSource::Kind::kSingle;
  one.ids.why_not = "no range";
  const auto report = AdmitOn(one, Gvisor(), Policy{});
  ASSERT_TRUE(report);
  EXPECT_EQ(FallbackOf(*report, PolicyClause::kIdentity), "user namespace that maps the caller's own id");
  // So it is with a folder that the program writes, which is the caller's.
  Host many;
  many.ids.kind = IdSource::Kind::kNewuidmap;
  Policy writes;
  writes.writes_host_folder = true;
  const auto written = AdmitOn(many, Gvisor(), writes);
  ASSERT_TRUE(written);
  EXPECT_THAT(MechanismOf(*written, PolicyClause::kIdentity), IsEmpty());
}

TEST(OciAdmissionTest, RefusesWithAWayOut) {
  const auto kata = AdmitOn(RootHost(), {RuntimeKind::kKata, "/x", "3", ""}, Policy{});
  ASSERT_FALSE(kata);
  EXPECT_THAT(kata.error().message, HasSubstr("--isolation gvisor"));
}

}  // namespace
}  // namespace casemate::oci
