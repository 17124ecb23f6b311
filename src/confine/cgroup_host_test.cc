#include "confine/cgroup_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/file.h"

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kV1Mounts =
    "31 23 0:28 / /cg rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /cg/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n"
    "34 31 0:31 / /cg/pids rw - cgroup cgroup rw,pids\n";
constexpr std::string_view kV2Mount = "35 31 0:40 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

// A tree of plain files that stands for /sys/fs/cgroup: the kernel's part is only what they hold.
class CgroupHostTest : public testing::Test {
 protected:
  CgroupHostTest() {
    std::string name = testing::TempDir() + "/cgroup-host-XXXXXX";
    root_ = mkdtemp(name.data());
    chmod(root_.c_str(), 0755);
  }
  ~CgroupHostTest() override {
    for (const char* closed : {"/cg", "/cg/memory"}) chmod((root_ + closed).c_str(), 0755);
    std::filesystem::remove_all(root_);
  }

  void Folder(const std::string& path) const { ASSERT_TRUE(MakeFolders(root_ + path, 0755)); }
  // A cgroup of version 2.
  void V2(const std::string& path, const std::string& controllers, const std::string& subtree_control) const {
    Folder(path);
    ASSERT_TRUE(WriteFileAtomically(root_ + path + "/cgroup.controllers", controllers + "\n", 0644));
    ASSERT_TRUE(WriteFileAtomically(root_ + path + "/cgroup.subtree_control", subtree_control, 0644));
  }
  std::string SubtreeControl(const std::string& path) const {
    return ReadKernelFile(root_ + path + "/cgroup.subtree_control");
  }
  CgroupHost Discover(std::string_view self, std::string_view mounts, bool prepare = false) const {
    return CgroupHost::DiscoverFrom(root_, self, mounts, prepare);
  }
  std::string ParentOf(const CgroupHost& host, CgroupController controller) const {
    const std::string& parent = host.place(controller).parent;
    return parent.starts_with(root_) ? parent.substr(root_.size()) : parent;
  }

  std::string root_;
};

// Runs `check` as a user who owns nothing here; true when it returned true.
bool AsStranger(const std::function<bool()>& check) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)) {
      _exit(2);
    }
    _exit(check() ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(CgroupHostTest, TakesEachHierarchyOfVersion1AtTheOwnCgroup) {
  for (const char* folder : {"/cg/cpu", "/cg/memory/user/me", "/cg/pids"}) Folder(folder);
  const CgroupHost host =
      Discover("4:memory:/user/me\n3:cpu,cpuacct:/\n2:pids:/\n1:name=systemd:/x\n0::/\n", kV1Mounts);
  EXPECT_TRUE(host.complete());
  EXPECT_EQ(host.place(CgroupController::kMemory).version, 1);
  EXPECT_EQ(ParentOf(host, CgroupController::kMemory), "/cg/memory/user/me");
  EXPECT_EQ(ParentOf(host, CgroupController::kPids), "/cg/pids");
  EXPECT_EQ(ParentOf(host, CgroupController::kCpu), "/cg/cpu");
  EXPECT_EQ(ParentOf(host, CgroupController::kCpuacct), "/cg/cpu");
}

TEST_F(CgroupHostTest, KnowsVersion2Alone) {
  V2("/cg", "cpu memory pids", "cpu memory pids");
  V2("/cg/user", "cpu io memory pids", "cpu memory pids");
  const CgroupHost host = Discover("0::/user\n", kV2Mount);
  EXPECT_TRUE(host.complete());
  for (const CgroupController controller : kCgroupControllers) {
    EXPECT_EQ(host.place(controller).version, 2);
    EXPECT_EQ(ParentOf(host, controller), "/cg/user");
  }
}

TEST_F(CgroupHostTest, PrefersVersion1InAHybridAndTakesTheRestFromVersion2) {
  Folder("/cg/memory");
  V2("/cg/unified", "cpu pids", "cpu pids");
  const CgroupHost host = Discover("1:memory:/\n0::/\n",
                                   "33 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n"
                                   "35 31 0:40 / /cg/unified rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(host.place(CgroupController::kMemory).version, 1);
  EXPECT_EQ(host.place(CgroupController::kPids).version, 2);
  EXPECT_EQ(host.place(CgroupController::kCpu).version, 2);
  EXPECT_FALSE(host.complete()) << "the version 2 hierarchy has no memory, so nothing stands for cpuacct";
}

TEST_F(CgroupHostTest, CutsTheRootOfAContainersMountFromItsPath) {
  Folder("/cg/memory/inner");
  const std::string mount = "33 31 0:30 /docker/ab12 /cg/memory ro - cgroup cgroup rw,memory\n";
  EXPECT_EQ(ParentOf(Discover("4:memory:/docker/ab12/inner\n", mount), CgroupController::kMemory),
            "/cg/memory/inner");
  EXPECT_EQ(ParentOf(Discover("4:memory:/docker/ab12\n", mount), CgroupController::kMemory), "/cg/memory");
}

TEST_F(CgroupHostTest, StaysBelowTheMountWhateverThePathSays) {
  Folder("/cg/memory");
  Folder("/cg/memory-of-another");
  const std::string part = "33 31 0:30 /docker/ab /cg/memory ro - cgroup cgroup rw,memory\n";
  // "/docker/ab-of-another" is no part of "/docker/ab".
  EXPECT_EQ(ParentOf(Discover("4:memory:/docker/ab-of-another\n", part), CgroupController::kMemory),
            "/cg/memory");
  // cgroup_namespaces(7): a process outside of its namespace's root sees a path with "..".
  const std::string whole = "33 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n";
  EXPECT_EQ(ParentOf(Discover("4:memory:/../memory-of-another\n", whole), CgroupController::kMemory),
            "/cg/memory");
  EXPECT_EQ(ParentOf(Discover("4:memory:/..\n", whole), CgroupController::kMemory), "/cg/memory");
}

TEST_F(CgroupHostTest, SaysWhatToMountWhenNothingIs) {
  for (const std::string_view mounts :
       {"", "garbage\n", "1 2 0:1 / /cg\n - cgroup\n", "31 23 0:28 / /cg rw - tmpfs tmpfs rw\n"}) {
    const CgroupHost host = Discover("0::/\n", mounts);
    EXPECT_FALSE(host.complete());
    for (const CgroupController controller : kCgroupControllers) {
      EXPECT_EQ(host.place(controller).version, 0);
      EXPECT_THAT(host.place(controller).why_not, HasSubstr(CgroupControllerName(controller)));
      EXPECT_THAT(host.place(controller).remedy, HasSubstr("mount -t cgroup2"));
    }
  }
}

TEST_F(CgroupHostTest, UsesNoFolderThatTheUserMayNotWrite) {
  Folder("/cg/memory");
  chmod((root_ + "/cg/memory").c_str(), 0555);
  EXPECT_TRUE(AsStranger([this] {
    const CgroupHost host = Discover("4:memory:/\n", kV1Mounts);
    const CgroupPlace& place = host.place(CgroupController::kMemory);
    return place.version == 0 && place.parent.empty() && place.why_not.contains("not writable") &&
           place.remedy.contains("chown");
  }));
}

TEST_F(CgroupHostTest, TellsAUserWithoutDelegationHowToGetIt) {
  V2("/cg", "cpu memory pids", "cpu memory pids");
  chmod((root_ + "/cg").c_str(), 0555);
  EXPECT_TRUE(AsStranger([this] {
    const CgroupHost host = Discover("0::/\n", kV2Mount, true);
    const CgroupPlace& place = host.place(CgroupController::kMemory);
    return place.version == 0 && place.why_not.contains("not delegated") &&
           place.remedy.contains("Delegate=yes");
  }));
}

TEST_F(CgroupHostTest, EnablesAControllerOnlyWhenAsked) {
  V2("/cg", "memory", "");
  EXPECT_EQ(Discover("0::/\n", kV2Mount, false).place(CgroupController::kMemory).version, 2);
  EXPECT_THAT(SubtreeControl("/cg"), IsEmpty());
  EXPECT_EQ(Discover("0::/\n", kV2Mount, true).place(CgroupController::kMemory).version, 2);
  EXPECT_EQ(SubtreeControl("/cg"), "+memory");
}

TEST_F(CgroupHostTest, NamesAControllerThatTheHierarchyLacks) {
  V2("/cg", "memory", "memory");
  const CgroupHost host = Discover("0::/\n", kV2Mount);
  EXPECT_EQ(host.place(CgroupController::kMemory).version, 2);
  EXPECT_EQ(host.place(CgroupController::kPids).version, 0);
  EXPECT_THAT(host.place(CgroupController::kPids).why_not, HasSubstr("pids controller"));
  EXPECT_FALSE(host.complete());
}

// A process is in one cgroup of version 2: limits that stand in two folders would hold in one of them only.
TEST_F(CgroupHostTest, PutsAllControllersOfVersion2IntoOneFolder) {
  V2("/cg", "cpu memory pids", "cpu memory pids");
  V2("/cg/user", "memory", "memory");
  const CgroupHost host = Discover("0::/user\n", kV2Mount);
  EXPECT_TRUE(host.complete());
  for (const CgroupController controller : kCgroupControllers) EXPECT_EQ(ParentOf(host, controller), "/cg");
}

TEST_F(CgroupHostTest, ClimbsToTheNearestFolderThatCanEnable) {
  V2("/cg", "cpu memory pids", "cpu memory pids");
  V2("/cg/leaf", "", "");
  EXPECT_EQ(ParentOf(Discover("0::/leaf\n", kV2Mount, true), CgroupController::kMemory), "/cg");
}

}  // namespace
}  // namespace casemate
