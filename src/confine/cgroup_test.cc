#include "confine/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <string>

#include "base/file.h"

namespace casemate {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

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
    ASSERT_TRUE(cgroup) << cgroup.error().ToString();
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
  ASSERT_TRUE(cgroup) << cgroup.error().ToString();
  const pid_t pid = fork();
  if (pid == 0) {
    for (const UniqueFd& tasks : cgroup->task_fds()) {
      if (write(tasks.get(), "0", 1) != 1) _exit(1);
    }
    // One process is all that it may have.
    const pid_t second = fork();
    if (second == 0) _exit(0);
    if (second > 0) _exit(2);
    for (volatile unsigned work = 0; work < 50'000'000; work = work + 1) {
    }
    kill(getpid(), SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  ASSERT_TRUE(WIFSTOPPED(status)) << status;
  EXPECT_FALSE(cgroup->Remove(0)) << "it still has a member";
  const CgroupReading reading = cgroup->Read();
  EXPECT_GT(reading.cpu_time_us, 1000);
  EXPECT_GT(reading.memory_peak_bytes, 0);
  EXPECT_EQ(reading.process_refusals, 1);
  EXPECT_GE(reading.processes_peak, 1);
  EXPECT_EQ(reading.memory_kills, 0);
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(cgroup->Remove(1000));
}

// The part of a cgroup's name that this process shares with all of its own; see cgroup.cc.
std::string OwnPrefix(const Cgroup& cgroup) {
  const std::string& folder = cgroup.folders().front();
  const std::string name = folder.substr(folder.rfind('/') + 1);
  return name.substr(0, name.rfind('-') + 1);
}

TEST_F(CgroupTest, RemovesWhatADeadEngineLeftAndNothingElse) {
  auto live = Cgroup::Create(host_, Limits{});
  ASSERT_TRUE(live) << live.error().ToString();
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  waitpid(dead, nullptr, 0);
  const std::string parent = host_.place(CgroupController::kPids).parent;
  const std::string prefix = OwnPrefix(*live);  // casemate-<namespace>-<pid>-<start>-
  const std::string space = prefix.substr(0, prefix.find('-', std::string("casemate-").size()) + 1);
  ASSERT_TRUE(prefix.starts_with(fmt::format("{}{}-", space, getpid())));
  const std::string of_the_dead = fmt::format("{}/{}{}-12345-0", parent, space, dead);
  // The pid lives, but is another process's by now.
  const std::string of_a_namesake = fmt::format("{}/{}{}-1-0", parent, space, getpid());
  const std::string of_another_space = fmt::format("{}/casemate-1-{}-12345-0", parent, dead);
  const std::string of_a_person = parent + "/casemate-units";
  for (const std::string& folder : {of_the_dead, of_a_namesake, of_another_space, of_a_person}) {
    ASSERT_EQ(mkdir(folder.c_str(), 0755), 0) << folder;
  }
  const CgroupGarbage garbage = RemoveStaleCgroups(host_);
  EXPECT_THAT(garbage.removed, Contains(of_the_dead));
  EXPECT_THAT(garbage.removed, Contains(of_a_namesake));
  EXPECT_FALSE(FileExists(of_the_dead));
  EXPECT_TRUE(FileExists(of_another_space));
  EXPECT_TRUE(FileExists(of_a_person));
  for (const std::string& folder : live->folders()) EXPECT_TRUE(FileExists(folder)) << folder;
  rmdir(of_another_space.c_str());
  rmdir(of_a_person.c_str());
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
