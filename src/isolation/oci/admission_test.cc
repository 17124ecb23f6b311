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
    // Of the others, this host has no cgroups that could hold it.
    EXPECT_EQ(MechanismOf(*open, PolicyClause::kProcesses).contains("one above it"),
              kind == RuntimeKind::kRunsc);
  }
}

TEST(OciAdmissionTest, RefusesWithAWayOut) {
  Host user = RootHost();
  user.ids.kind = IdSource::Kind::kNewuidmap;
  const auto as_user = AdmitOn(user, Gvisor(), Policy{});
  ASSERT_FALSE(as_user);
  EXPECT_EQ(as_user.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(as_user.error().message, HasSubstr("run as root"));
  const auto kata = AdmitOn(RootHost(), {RuntimeKind::kKata, "/x", "3", ""}, Policy{});
  ASSERT_FALSE(kata);
  EXPECT_THAT(kata.error().message, HasSubstr("--isolation gvisor"));
}

}  // namespace
}  // namespace casemate::oci
