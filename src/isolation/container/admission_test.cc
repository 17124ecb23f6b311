#include "isolation/container/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "base/file.h"

namespace casemate::container {
namespace {

using testing::HasSubstr;

// Hosts that are not there. The folders of their cgroups are plain ones.
class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    std::string name = testing::TempDir() + "/admission-XXXXXX";
    root_ = mkdtemp(name.data());
    for (const char* controller : {"memory", "pids", "cpu", "cpuacct"}) {
      EXPECT_TRUE(MakeFolders(root_ + "/cg/" + controller, 0755));
    }
  }
  ~AdmissionTest() override { std::filesystem::remove_all(root_); }

  // One that has the named cgroup controllers, its own ids for each run, and Landlock.
  Host HostWith(const std::set<std::string>& controllers) const {
    std::string mounts;
    for (const std::string& controller : controllers) {
      mounts += "32 31 0:29 / /cg/" + controller + " rw - cgroup cgroup rw," + controller + "\n";
    }
    Host host;
    host.cgroups = CgroupHost::DiscoverFrom(root_, "", mounts, false);
    host.ids.kind = IdSource::Kind::kDirect;
    host.ids.range = {100'000, 1000};
    host.landlock_abi = 4;
    return host;
  }
  Host Complete() const { return HostWith({"memory", "pids", "cpu", "cpuacct"}); }
  static Host Single(Host host) {
    host.ids = IdSource{IdSource::Kind::kSingle, {}, "no range of ids", "usermod --add-subuids"};
    return host;
  }

  std::string root_;
};

std::string MechanismOf(const EnforcementReport& report, PolicyClause clause) {
  for (const Enforced& held : report.enforced) {
    if (held.guarantee == PolicyClauseName(clause)) return held.mechanism;
  }
  return {};
}

const NotEnforced* Missing(const EnforcementReport& report, PolicyClause clause) {
  for (const NotEnforced& missing : report.not_enforced) {
    if (missing.guarantee == PolicyClauseName(clause)) return &missing;
  }
  return nullptr;
}

TEST_F(AdmissionTest, HoldsEveryClauseOnACompleteHost) {
  Policy policy;
  policy.require_limits = true;
  const auto report = AdmitOn(Complete(), policy);
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(report->tier, Tier::kContainer);
  EXPECT_TRUE(report->not_enforced.empty());
  for (const PolicyClause clause : kAllPolicyClauses) {
    EXPECT_NE(MechanismOf(*report, clause), "") << PolicyClauseName(clause);
  }
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kMemory), HasSubstr("cgroup v1"));
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kFilesystem), HasSubstr("Landlock ABI 4"));
}

TEST_F(AdmissionTest, AnswersEachClauseOnceOnAnyHost) {
  Policy shared;
  shared.writes_host_folder = shared.shares_host_folder = true;
  for (const Host& host : {Complete(), HostWith({}), Single(HostWith({"pids"})), Host{}}) {
    for (const Policy& policy : {Policy{}, shared}) {
      const auto report = AdmitOn(host, policy);
      ASSERT_TRUE(report) << report.error().ToString();
      EXPECT_EQ(report->enforced.size() + report->not_enforced.size(), kAllPolicyClauses.size());
      for (const NotEnforced& missing : report->not_enforced) {
        EXPECT_EQ(MechanismOf(*report, PolicyClause::kMemory).empty(),
                  Missing(*report, PolicyClause::kMemory) != nullptr);
        EXPECT_FALSE(missing.guarantee.empty());
      }
    }
  }
}

struct ControllerCase {
  std::string controller;
  PolicyClause clause;
  bool has_fallback;
};

// NOLINTNEXTLINE(misc-multiple-inheritance): GoogleTest's way to a fixture with parameters
class AdmissionControllerTest : public AdmissionTest, public testing::WithParamInterface<ControllerCase> {};

TEST_P(AdmissionControllerTest, IsMissedByItsClauseAlone) {
  std::set<std::string> others{"memory", "pids", "cpu", "cpuacct"};
  others.erase(GetParam().controller);
  const auto report = AdmitOn(HostWith(others), Policy{});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->not_enforced.size(), 1U);
  const NotEnforced& missing = report->not_enforced.front();
  EXPECT_EQ(missing.guarantee, PolicyClauseName(GetParam().clause));
  EXPECT_THAT(missing.reason, HasSubstr(GetParam().controller));
  EXPECT_EQ(!missing.fallback.empty(), GetParam().has_fallback);
  EXPECT_NE(missing.remedy, "");
}

INSTANTIATE_TEST_SUITE_P(Controllers, AdmissionControllerTest,
                         testing::Values(ControllerCase{"memory", PolicyClause::kMemory, true},
                                         ControllerCase{"cpu", PolicyClause::kCpuShare, false},
                                         ControllerCase{"cpuacct", PolicyClause::kCpuTime, true}),
                         [](const auto& param) { return param.param.controller; });

TEST_F(AdmissionTest, CountsProcessesWithoutACgroupToo) {
  const auto report = AdmitOn(HostWith({"memory", "cpu", "cpuacct"}), Policy{});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->not_enforced.empty());
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kProcesses), HasSubstr("RLIMIT_NPROC"));
}

TEST_F(AdmissionTest, NeedsNoLandlock) {
  Host host = Complete();
  host.landlock_abi = 0;
  const auto report = AdmitOn(host, Policy{});
  ASSERT_TRUE(report);
  EXPECT_EQ(MechanismOf(*report, PolicyClause::kFilesystem).find("Landlock"), std::string::npos);
  EXPECT_THAT(MechanismOf(*report, PolicyClause::kFilesystem), HasSubstr("pivot_root"));
}

TEST_F(AdmissionTest, TellsWhenARunHasTheCallersOwnId) {
  const auto report = AdmitOn(Single(Complete()), Policy{});
  ASSERT_TRUE(report);
  const NotEnforced* identity = Missing(*report, PolicyClause::kIdentity);
  ASSERT_NE(identity, nullptr);
  EXPECT_EQ(identity->reason, "no range of ids");
  EXPECT_EQ(identity->remedy, "usermod --add-subuids");
}

// An ordinary user's subordinate ids could not write to his own folder.
TEST_F(AdmissionTest, AWritableHostFolderCostsAnOrdinaryUserItsOwnIds) {
  Host host = Complete();
  host.ids.kind = IdSource::Kind::kNewuidmap;
  Policy policy;
  ASSERT_EQ(Missing(*AdmitOn(host, policy), PolicyClause::kIdentity), nullptr);
  policy.writes_host_folder = policy.shares_host_folder = true;
  const auto report = AdmitOn(host, policy);
  ASSERT_TRUE(report);
  ASSERT_NE(Missing(*report, PolicyClause::kIdentity), nullptr);
  EXPECT_THAT(Missing(*report, PolicyClause::kIdentity)->remedy, HasSubstr("copy"));
  // Root maps ids on the mount instead.
  EXPECT_EQ(Missing(*AdmitOn(Complete(), policy), PolicyClause::kIdentity), nullptr);
}

TEST_F(AdmissionTest, AWritableHostFolderHasNoBoundOnItsDisk) {
  Policy policy;
  policy.writes_host_folder = policy.shares_host_folder = true;
  auto report = AdmitOn(Complete(), policy);
  ASSERT_TRUE(report);
  ASSERT_NE(Missing(*report, PolicyClause::kDisk), nullptr);
  EXPECT_EQ(Missing(*report, PolicyClause::kDisk)->fallback, "");
  EXPECT_NE(Missing(*report, PolicyClause::kFileSize), nullptr);
  EXPECT_NE(Missing(*report, PolicyClause::kNetwork), nullptr);
  policy.limits.file_bytes_max = kMiB;
  report = AdmitOn(Complete(), policy);
  ASSERT_TRUE(report);
  EXPECT_THAT(Missing(*report, PolicyClause::kDisk)->fallback, HasSubstr("RLIMIT_FSIZE"));
  EXPECT_EQ(Missing(*report, PolicyClause::kFileSize), nullptr);
}

TEST_F(AdmissionTest, AReadOnlyHostFolderMayHoldASocketAndNothingElse) {
  Policy policy;
  policy.shares_host_folder = true;
  const auto report = AdmitOn(Complete(), policy);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->not_enforced.size(), 1U);
  EXPECT_EQ(report->not_enforced.front().guarantee, "network");
  EXPECT_THAT(report->not_enforced.front().reason, HasSubstr("unix socket"));
}

TEST_F(AdmissionTest, RefusesWhatItCannotGuaranteeWhenAskedTo) {
  Policy policy;
  policy.require_limits = true;
  const auto report = AdmitOn(HostWith({"pids", "cpu", "cpuacct"}), policy);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message, HasSubstr("memory cannot be guaranteed"));
  EXPECT_THAT(report.error().message, HasSubstr("mount -t cgroup2"));
}

}  // namespace
}  // namespace casemate::container
