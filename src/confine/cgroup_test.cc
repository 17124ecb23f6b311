#include "confine/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/instrumented.h"

namespace casemate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

// The tests below need a place to make cgroups in; the suite must pass where there is none, too.
class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    host_ = CgroupHost::Discover(false);
    if (!host_.complete()) GTEST_SKIP() << "this host gives this user no complete set of cgroup controllers";
  }
  std::string FolderOf(const Cgroup& cgroup, CgroupController controller) const {
    for (const std::string& folder : cgroup.folders()) {
      if (folder.substr(0, folder.rfind('/')) == host_.place(controller).parent) return folder;
    }
    return {};
  }
  CgroupHost host_;
};

TEST_F(CgroupTest, WritesTheLimitsAndLeavesNothing) {
  Limits limits;
  limits.memory_bytes = 64 * kMiB;
  limits.processes_max = 17;
  limits.cpus = 0.5;
  std::vector<std::string> folders;
  {
    auto cgroup = Cgroup::Create(host_, limits);
    ASSERT_TRUE(cgroup) << cgroup.error().message;
    folders = cgroup->folders();
    const std::set<std::string> distinct(folders.begin(), folders.end());
    EXPECT_EQ(distinct.size(), folders.size());
    EXPECT_EQ(ReadKernelNumber(FolderOf(*cgroup, CgroupController::kPids) + "/pids.max"), 17);
    const std::string memory = FolderOf(*cgroup, CgroupController::kMemory);
    const std::string cpu = FolderOf(*cgroup, CgroupController::kCpu);
    if (host_.place(CgroupController::kMemory).version == 1) {
      EXPECT_EQ(ReadKernelNumber(memory + "/memory.limit_in_bytes"), 64 * kMiB);
      EXPECT_THAT(cgroup->task_fds(), Not(IsEmpty()));
    } else {
      EXPECT_EQ(ReadKernelNumber(memory + "/memory.max"), 64 * kMiB);
      EXPECT_EQ(ReadKernelFile(memory + "/memory.oom.group"), "1");
      EXPECT_GE(cgroup->clone_fd(), 0);
    }
    if (host_.place(CgroupController::kCpu).version == 1) {
      EXPECT_EQ(ReadKernelNumber(cpu + "/cpu.cfs_quota_us"), 50'000);
    } else {
      EXPECT_EQ(ReadKernelFile(cpu + "/cpu.max"), "50000 100000");
    }
  }
  for (const std::string& folder : folders) EXPECT_FALSE(FileExists(folder)) << folder;
}

TEST_F(CgroupTest, CountsWhatAMemberDoesAndCannotBeRemovedBeforeItIsGone) {
  if (host_.place(CgroupController::kPids).version != 1 ||
      host_.place(CgroupController::kCpuacct).version != 1) {
    GTEST_SKIP() << "a member enters a version 2 cgroup at birth; the conformance suite shows it";
  }
  Limits limits;
  limits.processes_max = 1;
  auto cgroup = Cgroup::Create(host_, limits);
  ASSERT_TRUE(cgroup) << cgroup.error().message;
  const pid_t pid = fork();
  if (pid == 0) {
    for (const UniqueFd& tasks : cgroup->task_fds()) {
      if (write(tasks.get(), "0", 1) != 1) _exit(1);
    }
    // One process is all that it may have.
    const pid_t second = fork();
    if (second == 0) _exit(0);
    if (second > 0) _exit(2);
    while (clock() < CLOCKS_PER_SEC / 50) {
    }
    kill(getpid(), SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  ASSERT_TRUE(WIFSTOPPED(status)) << status;
  EXPECT_FALSE(cgroup->Remove(0)) << "it still has a member";
  // A read for which there was no descriptor does not blind the next one.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlimit none{0, files.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  (void)cgroup->Read();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  const CgroupReading reading = cgroup->Read();
  EXPECT_GT(reading.cpu_time_us, 1000);
  EXPECT_GT(reading.memory_peak_bytes, 0);
  EXPECT_EQ(reading.process_refusals, 1);
  EXPECT_GE(reading.processes_peak, 1);
  EXPECT_EQ(reading.memory_kills, 0);
  cgroup->CloseCounters();
  EXPECT_GE(cgroup->ReadCpuTimeUs().value_or(0), reading.cpu_time_us);
  EXPECT_EQ(cgroup->Read().process_refusals, 1);
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(cgroup->Remove(1000));
}

// The next user is not told of what the last one met after anybody looked, nor of how many processes it had.
TEST_F(CgroupTest, RenewedItKnowsNothingOfItsLastUser) {
  if (host_.place(CgroupController::kPids).version != 1) GTEST_SKIP() << "version 2 is never renewed";
  Limits limits;
  limits.processes_max = 2;
  auto cgroup = Cgroup::Create(host_, limits);
  ASSERT_TRUE(cgroup) << cgroup.error().message;
  const pid_t pid = fork();
  if (pid == 0) {
    for (const UniqueFd& tasks : cgroup->task_fds()) {
      if (write(tasks.get(), "0", 1) != 1) _exit(1);
    }
    const pid_t second = fork();
    if (second == 0) {
      pause();
      _exit(0);
    }
    // Two are all that it may have.
    const bool refused = fork() < 0;
    kill(second, SIGKILL);
    waitpid(second, nullptr, 0);
    _exit(refused ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_EQ(status, 0);
  // The kernel takes back what an instrumented process was charged for in its own time.
  const Deadline deadline = Deadline::After(5000);
  while (!cgroup->Renew()) {
    ASSERT_TRUE(kInstrumented && !deadline.Passed());
    usleep(1000);
  }
  const CgroupReading reading = cgroup->Read();
  EXPECT_EQ(reading.process_refusals, 0);
  EXPECT_EQ(reading.processes_peak, 0);
  EXPECT_TRUE(cgroup->Remove(1000));
}

// Folders with names as cgroup.cc gives them: casemate-<pid namespace>-<pid>-<start time>-<serial>. Plain
// ones in a place of the test's own, where no engine of this host looks.
class StaleCgroupsTest : public testing::Test {
 protected:
  StaleCgroupsTest() {
    std::string name = testing::TempDir() + "/stale-XXXXXX";
    place_ = mkdtemp(name.data());
    host_ = CgroupHost::DiscoverFrom("", "1:pids:/\n",
                                     "1 1 0:1 / " + place_ + " rw - cgroup cgroup rw,pids\n", false);
    const std::string space = std::filesystem::read_symlink("/proc/self/ns/pid");  // "pid:[N]"
    space_ = space.substr(5, space.size() - 6);
  }
  ~StaleCgroupsTest() override { std::filesystem::remove_all(place_); }

  std::string Make(const std::string& space, pid_t pid, const std::string& start) const {
    std::string folder = fmt::format("{}/casemate-{}-{}-{}-0", place_, space, pid, start);
    EXPECT_EQ(mkdir(folder.c_str(), 0755), 0);
    return folder;
  }
  static std::string OwnStartTime() {
    const std::string stat = ReadKernelFile("/proc/self/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    return field;
  }

  std::string place_;
  std::string space_;
  CgroupHost host_;
};

TEST_F(StaleCgroupsTest, GoWhenTheirEngineIsDeadAndNoOthers) {
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  const std::string of_the_dead = Make(space_, dead, "12345");
  // The pid lives, but is another process's by now.
  const std::string of_a_namesake = Make(space_, getpid(), "1");
  const std::string of_the_living = Make(space_, getpid(), OwnStartTime());
  const std::string of_another_namespace = Make("1", dead, "12345");
  const std::string of_a_person = place_ + "/casemate-notes";
  const std::string of_nobody = fmt::format("{}/casemate-{}-notes", place_, space_);
  ASSERT_EQ(mkdir(of_a_person.c_str(), 0755), 0);
  ASSERT_EQ(mkdir(of_nobody.c_str(), 0755), 0);
  const CgroupGarbage garbage = RemoveStaleCgroups(host_, 0);
  EXPECT_THAT(garbage.removed, UnorderedElementsAre(of_the_dead, of_a_namesake));
  EXPECT_THAT(garbage.kept, IsEmpty());
  EXPECT_FALSE(FileExists(of_the_dead));
  EXPECT_FALSE(FileExists(of_a_namesake));
  EXPECT_TRUE(FileExists(of_the_living));
  EXPECT_TRUE(FileExists(of_another_namespace));
  EXPECT_TRUE(FileExists(of_a_person));
  EXPECT_TRUE(FileExists(of_nobody));
}

TEST_F(StaleCgroupsTest, AreNamedWhenTheyCannotBeRemoved) {
  const std::string folder = Make(space_, getpid(), "1");
  ASSERT_EQ(mkdir((folder + "/member").c_str(), 0755), 0);
  const CgroupGarbage garbage = RemoveStaleCgroups(host_, 0);
  EXPECT_THAT(garbage.removed, IsEmpty());
  EXPECT_THAT(garbage.kept, ElementsAre(folder + ": ENOTEMPTY"));
}

TEST_F(CgroupTest, ALiveEnginesOwnAreKept) {
  auto live = Cgroup::Create(host_, Limits{});
  ASSERT_TRUE(live) << live.error().message;
  RemoveStaleCgroups(host_, 0);
  EXPECT_THAT(live->folders(), Not(IsEmpty()));
  for (const std::string& folder : live->folders()) EXPECT_TRUE(FileExists(folder)) << folder;
}

TEST(CgroupWithoutControllersTest, MakesNothing) {
  const CgroupHost none = CgroupHost::DiscoverFrom("/nowhere", "", "", false);
  auto cgroup = Cgroup::Create(none, Limits{});
  ASSERT_TRUE(cgroup);
  EXPECT_THAT(cgroup->folders(), IsEmpty());
  EXPECT_EQ(cgroup->clone_fd(), -1);
  EXPECT_EQ(cgroup->Read().memory_peak_bytes, 0);
  EXPECT_TRUE(cgroup->Remove(0));
}

}  // namespace
}  // namespace casemate
