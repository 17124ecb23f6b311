#include "isolation/container/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"

namespace casemate::container {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LaunchPlanTest : public testing::Test {
 protected:
  LaunchPlanTest() {
    std::string name = testing::TempDir() + "/launch-plan-XXXXXX";
    root_ = mkdtemp(name.data());
    spec_.argv = {"true"};
    spec_.environment.read_only_paths = {"/usr"};
    host_.ids.kind = IdSource::Kind::kDirect;
    host_.ids.range = {100'000, 1000};
    host_.landlock_abi = 3;
  }
  ~LaunchPlanTest() override { std::filesystem::remove_all(root_); }

  // Gives the host all cgroup controllers.
  void AddCgroups() {
    std::string mounts;
    for (const char* controller : {"memory", "pids", "cpu", "cpuacct"}) {
      ASSERT_TRUE(MakeFolders(root_ + "/cg/" + controller, 0755));
      mounts += std::string("1 1 0:1 / /cg/") + controller + " rw - cgroup cgroup rw," + controller + "\n";
    }
    host_.cgroups = CgroupHost::DiscoverFrom(root_, "", mounts, false);
    ASSERT_TRUE(host_.cgroups.complete());
  }
  ConfinementPlan Plan() {
    auto plan = MakePlan(spec_, host_, IdsFor(host_.ids, spec_.policy));
    EXPECT_TRUE(plan) << plan.error().ToString();
    return plan ? std::move(**plan) : ConfinementPlan();
  }
  std::string root_;
  LaunchSpec spec_;
  Host host_;
};

std::optional<rlim_t> LimitOf(const ConfinementPlan& plan, int resource) {
  for (const ResourceLimit& limit : plan.resource_limits) {
    if (limit.resource == resource) return limit.value.rlim_cur;
  }
  return std::nullopt;
}

TEST_F(LaunchPlanTest, LimitsByTheKernelsOldMeansWithoutCgroups) {
  spec_.policy.limits.processes_max = 9;
  spec_.policy.limits.memory_bytes = 100 * kMiB;
  const ConfinementPlan plan = Plan();
  // The sandbox's init is one of the nine, and under an id of its own not counted by the kernel.
  EXPECT_EQ(LimitOf(plan, RLIMIT_NPROC), 8U);
  EXPECT_EQ(LimitOf(plan, RLIMIT_DATA), static_cast<rlim_t>(100 * kMiB + kUntouchedBytes));
  host_.ids.kind = IdSource::Kind::kSingle;
  EXPECT_EQ(LimitOf(Plan(), RLIMIT_NPROC), 9U);
}

// RLIMIT_DATA would fail programs that reserve much and use little; RLIMIT_NPROC hides who hit the limit.
TEST_F(LaunchPlanTest, LeavesToCgroupsWhatTheyHold) {
  AddCgroups();
  const ConfinementPlan plan = Plan();
  EXPECT_EQ(LimitOf(plan, RLIMIT_NPROC), std::nullopt);
  EXPECT_EQ(LimitOf(plan, RLIMIT_DATA), std::nullopt);
}

TEST_F(LaunchPlanTest, SetsTheLimitsOfOneProcess) {
  spec_.policy.limits.open_files_max = 77;
  spec_.policy.limits.cpu_time_ms = 2500;
  const ConfinementPlan plan = Plan();
  EXPECT_EQ(LimitOf(plan, RLIMIT_CORE), 1U);  // 0 would still start a handler of the host
  EXPECT_EQ(LimitOf(plan, RLIMIT_NOFILE), 77U);
  // Behind the engine's own clock, which tells a CPU limit by its name.
  EXPECT_GT(LimitOf(plan, RLIMIT_CPU), 2U);
  EXPECT_LT(LimitOf(plan, RLIMIT_CPU), 6U);
}

TEST_F(LaunchPlanTest, BoundsAFilesSizeUnlessAHostFolderIsWritten) {
  spec_.policy.limits.tmp_bytes = 8 * kMiB;
  EXPECT_GT(LimitOf(Plan(), RLIMIT_FSIZE), static_cast<rlim_t>(8 * kMiB));
  spec_.policy.limits.file_bytes_max = kMiB;
  EXPECT_EQ(LimitOf(Plan(), RLIMIT_FSIZE), static_cast<rlim_t>(kMiB));
  spec_.policy.writes_host_folder = true;
  EXPECT_EQ(LimitOf(Plan(), RLIMIT_FSIZE), static_cast<rlim_t>(kMiB));
  spec_.policy.limits.file_bytes_max.reset();
  EXPECT_EQ(LimitOf(Plan(), RLIMIT_FSIZE), std::nullopt);
}

TEST_F(LaunchPlanTest, GivesFourVariablesAndTheRequestsOwn) {
  EXPECT_THAT(Plan().env,
              ElementsAre("HOME=/tmp", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=/tmp"));
  spec_.env = {{"LANG", "C"}, {"NAME", "a=b"}};
  EXPECT_THAT(Plan().env, ElementsAre("HOME=/tmp", "LANG=C", "NAME=a=b", "PATH=/usr/local/bin:/usr/bin:/bin",
                                      "TMPDIR=/tmp"));
}

TEST_F(LaunchPlanTest, SearchesTheInterpretersFolderFirst) {
  spec_.environment.python = "/opt/py/bin/python3";
  EXPECT_THAT(Plan().exec_candidates,
              ElementsAre("/opt/py/bin/true", "/usr/local/bin/true", "/usr/bin/true", "/bin/true"));
  spec_.environment.python = "/usr/bin/python3";
  EXPECT_THAT(Plan().exec_candidates, ElementsAre("/usr/local/bin/true", "/usr/bin/true", "/bin/true"));
}

TEST_F(LaunchPlanTest, TakesAPathAsItIs) {
  spec_.argv = {"/opt/tool", "-x"};
  EXPECT_THAT(Plan().exec_candidates, ElementsAre("/opt/tool"));
  EXPECT_THAT(Plan().argv, ElementsAre("/opt/tool", "-x"));
  spec_.argv = {"bin/tool"};
  EXPECT_THAT(Plan().exec_candidates, ElementsAre("/workspace/bin/tool"));
  spec_.argv = {"tool"};
  spec_.env["PATH"] = "::/a::/b:";
  EXPECT_THAT(Plan().exec_candidates, ElementsAre("/a/tool", "/b/tool"));
}

TEST_F(LaunchPlanTest, MakesTheWorkspaceWritableByItsMode) {
  const auto in_scratch = [](const ConfinementPlan& plan) {
    return std::ranges::any_of(plan.scratch.views,
                               [](const auto& view) { return view.target == "workspace"; });
  };
  struct Case {
    std::optional<WorkspaceMode> mode;
    bool scratch;
    bool writable;
    bool expects_files;
  };
  for (const Case& c : {Case{std::nullopt, true, true, false}, Case{WorkspaceMode::kCopy, true, true, true},
                        Case{WorkspaceMode::kReadOnly, false, false, false},
                        Case{WorkspaceMode::kReadWrite, false, true, false}}) {
    spec_.workspace.reset();
    if (c.mode) spec_.workspace = Workspace{root_, *c.mode};
    const ConfinementPlan plan = Plan();
    EXPECT_EQ(in_scratch(plan), c.scratch);
    EXPECT_EQ(plan.expects_files, c.expects_files);
    EXPECT_THAT(plan.landlock.writable, Contains("/tmp"));
    if (c.writable) {
      EXPECT_THAT(plan.landlock.writable, Contains("/workspace"));
    } else {
      EXPECT_THAT(plan.landlock.writable, Not(Contains("/workspace")));
    }
  }
}

TEST_F(LaunchPlanTest, LetsAWritableMountBeWritten) {
  spec_.mounts = {{root_, "/out", true}, {root_, "/in", false}};
  const ConfinementPlan plan = Plan();
  EXPECT_THAT(plan.landlock.writable, Contains("/out"));
  EXPECT_THAT(plan.landlock.writable, Not(Contains("/in")));
}

TEST_F(LaunchPlanTest, SizesTheScratchFileSystem) {
  spec_.policy.limits.tmp_bytes = 12345;
  spec_.policy.limits.tmp_files_max = 10;
  EXPECT_THAT(Plan().scratch.options, HasSubstr("size=12345"));
  EXPECT_THAT(Plan().scratch.options, HasSubstr("nr_inodes=14"));
  for (const ScratchView& view : Plan().scratch.views) EXPECT_NE(view.attributes, 0U) << view.name;
}

TEST_F(LaunchPlanTest, KeepsTheCallersIdWhenItIsTheOnlyOne) {
  EXPECT_TRUE(Plan().ids.change_ids);
  EXPECT_TRUE(Plan().ids.clear_groups);
  host_.ids = {};
  EXPECT_FALSE(Plan().ids.change_ids);
  EXPECT_FALSE(Plan().ids.clear_groups);
}

TEST_F(LaunchPlanTest, InstallsTheFilterAndTheLandlockOfTheHost) {
  const ConfinementPlan plan = Plan();
  EXPECT_GT(plan.seccomp.size(), 10U);
  EXPECT_EQ(plan.landlock.abi, 3);
  EXPECT_THAT(plan.proc_options, HasSubstr("hidepid=invisible"));
  EXPECT_GT(plan.oom_score_adj, 0);
}

TEST_F(LaunchPlanTest, FailsWithTheRootsReason) {
  spec_.mounts = {{root_, "/etc", false}};
  const auto plan = MakePlan(spec_, host_, host_.ids);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidRequest);
}

}  // namespace
}  // namespace casemate::container
