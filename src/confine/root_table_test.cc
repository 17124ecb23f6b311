#include "confine/root_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "base/file.h"

namespace casemate {
namespace {

using testing::HasSubstr;

class CheckMountTargetTest : public testing::TestWithParam<const char*> {};
class CheckMountTargetRefusedTest : public testing::TestWithParam<const char*> {};

TEST_P(CheckMountTargetTest, IsAllowed) { EXPECT_TRUE(CheckMountTarget(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Paths, CheckMountTargetTest,
                         testing::Values("/data", "/a/b/c", "/home/me", "/usrdata", "/tmpfiles", "/.hidden",
                                         "/..data", "/a..b/c", "/opt"));

TEST_P(CheckMountTargetRefusedTest, WithAReason) {
  const auto allowed = CheckMountTarget(GetParam());
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(allowed.error().message, HasSubstr("/data")) << "no way out is named";
}

INSTANTIATE_TEST_SUITE_P(Paths, CheckMountTargetRefusedTest,
                         testing::Values("", "/", "data", "./data", "/data/", "//data", "/data//x",
                                         "/data/..", "/data/../etc", "/../data", "/.", "/data/./x", "/etc",
                                         "/etc/passwd", "/usr", "/usr/lib", "/tmp", "/tmp/x", "/workspace",
                                         "/workspace/x", "/proc", "/proc/self", "/dev/sda", "/sys/fs",
                                         "/code", "/casemate/x", "/bin", "/lib64"));

class PlanRootTest : public testing::Test {
 protected:
  PlanRootTest() {
    std::string name = testing::TempDir() + "/root-table-XXXXXX";
    folder_ = mkdtemp(name.data());
    spec_.environment.name = "host";
    spec_.environment.read_only_paths = {"/usr"};
    spec_.environment.symlinks = {{"/bin", "usr/bin"}, {"/lib", "usr/lib"}};
  }
  ~PlanRootTest() override { std::filesystem::remove_all(folder_); }

  const RootEntry* Entry(const std::string& path) const {
    for (const RootEntry& entry : plan_.root_entries) {
      if (entry.path == path) return &entry;
    }
    return nullptr;
  }
  const BindMount* Bind(const std::string& target) const {
    for (const BindMount& bind : plan_.binds) {
      if (bind.target == target) return &bind;
    }
    return nullptr;
  }
  void ExpectRefused(ErrorCode code, const std::string& says) {
    const auto planned = PlanRoot(spec_, plan_);
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().code, code);
    EXPECT_THAT(planned.error().message, HasSubstr(says));
  }

  std::string folder_;
  LaunchSpec spec_;
  ConfinementPlan plan_;
};

TEST_F(PlanRootTest, MakesEachEntryOnceAndParentsFirst) {
  spec_.root_files = {{"/casemate/harness.pyc", "bytes"}, {"/code/main.py", "print()"}};
  spec_.mounts = {{folder_, "/data/deep/er", false}, {folder_, "/data/other", false}};
  ASSERT_TRUE(PlanRoot(spec_, plan_));
  std::set<std::string> made;
  for (const RootEntry& entry : plan_.root_entries) {
    const std::size_t slash = entry.path.rfind('/');
    if (slash != std::string::npos) {
      EXPECT_TRUE(made.contains(entry.path.substr(0, slash))) << entry.path << " before its parent";
    }
    EXPECT_TRUE(made.insert(entry.path).second) << entry.path << " twice";
    EXPECT_NE(entry.path.front(), '/');
  }
  std::set<std::string> bound;
  for (const BindMount& bind : plan_.binds) {
    EXPECT_TRUE(made.contains(bind.target)) << bind.target << " has no place";
    EXPECT_TRUE(bound.insert(bind.target).second) << bind.target << " twice";
  }
  EXPECT_EQ(Entry("code/main.py")->content, "print()");
  EXPECT_EQ(Entry("bin")->kind, RootEntry::Kind::kSymlink);
  EXPECT_EQ(Entry("bin")->content, "usr/bin");
  EXPECT_THAT(plan_.root_options, HasSubstr("nr_inodes="));
}

TEST_F(PlanRootTest, TellsNothingOfTheHostsUsers) {
  ASSERT_TRUE(PlanRoot(spec_, plan_));
  const RootEntry* passwd = Entry("etc/passwd");
  ASSERT_NE(passwd, nullptr);
  EXPECT_THAT(passwd->content, HasSubstr("sandbox:x:1000:1000:"));
  EXPECT_EQ(std::ranges::count(passwd->content, '\n'), 3);
  EXPECT_EQ(passwd->mode & 0222U, 0U);
  for (const char* secret : {"etc/shadow", "etc/resolv.conf", "etc/hostname", "etc/machine-id"}) {
    EXPECT_EQ(Entry(secret), nullptr) << secret;
  }
}

TEST_F(PlanRootTest, BindsAllButTheCallersWritableFoldersReadOnly) {
  spec_.workspace = Workspace{folder_, WorkspaceMode::kReadWrite};
  spec_.mounts = {{folder_, "/data", true}, {folder_, "/fixed", false}};
  ASSERT_TRUE(PlanRoot(spec_, plan_));
  for (const BindMount& bind : plan_.binds) {
    const bool writable =
        bind.target == "workspace" || bind.target == "data" || bind.target.starts_with("dev/");
    EXPECT_EQ((bind.attributes & MOUNT_ATTR_RDONLY) == 0, writable) << bind.target;
    EXPECT_NE(bind.attributes & MOUNT_ATTR_NOSUID, 0U) << bind.target;
    EXPECT_EQ((bind.attributes & MOUNT_ATTR_NODEV) == 0, bind.target.starts_with("dev/")) << bind.target;
  }
}

TEST_F(PlanRootTest, BindsTheWorkspaceUnlessItIsACopy) {
  for (const auto& [mode, bound] : {std::pair(WorkspaceMode::kReadOnly, true),
                                    {WorkspaceMode::kReadWrite, true},
                                    {WorkspaceMode::kCopy, false}}) {
    plan_ = ConfinementPlan();
    spec_.workspace = Workspace{folder_, mode};
    ASSERT_TRUE(PlanRoot(spec_, plan_));
    EXPECT_EQ(Bind("workspace") != nullptr, bound) << WorkspaceModeName(mode);
  }
}

TEST_F(PlanRootTest, GivesAFileForAFile) {
  const std::string file = folder_ + "/data.csv";
  ASSERT_TRUE(WriteFileAtomically(file, "a,b\n", 0644));
  spec_.mounts = {{file, "/data/data.csv", false}};
  ASSERT_TRUE(PlanRoot(spec_, plan_));
  EXPECT_EQ(Entry("data/data.csv")->kind, RootEntry::Kind::kFile);
  EXPECT_EQ(Entry("data")->kind, RootEntry::Kind::kFolder);
}

TEST_F(PlanRootTest, RefusesWhatIsGone) {
  spec_.environment.read_only_paths.push_back(folder_ + "/missing");
  ExpectRefused(ErrorCode::kNotFound, "doctor");
}

TEST_F(PlanRootTest, RefusesAMountOfNothing) {
  spec_.mounts = {{folder_ + "/missing", "/data", false}};
  ExpectRefused(ErrorCode::kNotFound, folder_ + "/missing");
}

TEST_F(PlanRootTest, RefusesAMountOverItsOwnPaths) {
  spec_.mounts = {{folder_, "/etc/ssl", false}};
  ExpectRefused(ErrorCode::kInvalidRequest, "/etc");
}

TEST_F(PlanRootTest, RefusesASecondMountAtOnePath) {
  spec_.mounts = {{folder_, "/data", false}, {"/var", "/data", false}};
  ExpectRefused(ErrorCode::kInvalidRequest, "/data");
}

TEST_F(PlanRootTest, RefusesAMountOverTheEnvironment) {
  spec_.environment.read_only_paths.push_back(folder_);
  spec_.mounts = {{"/var", folder_, false}};
  ExpectRefused(ErrorCode::kInvalidRequest, folder_);
}

}  // namespace
}  // namespace casemate
