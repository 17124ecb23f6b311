#include "isolation/process/run_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/file.h"

namespace casemate::process {
namespace {

namespace fs = std::filesystem;
constexpr uid_t kCaller = static_cast<uid_t>(-1);

class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    std::string name = testing::TempDir() + "/run-folder-XXXXXX";
    place_ = mkdtemp(name.data());
  }
  ~RunFolderTest() override { fs::remove_all(place_); }
  std::size_t Count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(place_), fs::directory_iterator()));
  }
  RunFolder Make() const {
    auto made = RunFolder::Make(place_, kCaller);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *std::move(made) : RunFolder();
  }

  std::string place_;
};

TEST_F(RunFolderTest, IsMadeAndRemoved) {
  {
    RunFolder folder = Make();
    ASSERT_TRUE(folder.Write({"/code/main.py", "print(1)"}));
    EXPECT_EQ(ReadKernelFile(folder.path() + "/code/main.py"), "print(1)");
    for (const char* name : {"/workspace", "/tmp"}) {
      struct stat info {};
      ASSERT_EQ(stat((folder.path() + name).c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777, 0700U);
    }
    RunFolder moved = std::move(folder);
    EXPECT_EQ(Count(), 1U);
  }
  EXPECT_EQ(Count(), 0U);
}

TEST_F(RunFolderTest, SaysWhereItCannotBeMade) {
  const auto made = RunFolder::Make(place_ + "/missing", kCaller);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("TMPDIR"), std::string::npos);
}

// Deeper than any path may be, closed folders, links out, names of all kinds.
TEST_F(RunFolderTest, RemovesWhateverIsInIt) {
  const std::string outside = place_ + "/outside";
  fs::create_directory(outside);
  ASSERT_TRUE(WriteFileAtomically(outside + "/kept", "x", 0600));
  {
    const RunFolder folder = Make();
    const std::string workspace = folder.path() + "/workspace";
    fs::create_symlink(outside, workspace + "/link");
    fs::create_directory(workspace + "/closed");
    ASSERT_TRUE(WriteFileAtomically(workspace + "/closed/file", "x", 0000));
    mkfifo((workspace + "/closed/pipe").c_str(), 0600);
    int at = open(workspace.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int depth = 0; depth < 1000; ++depth) {
      ASSERT_EQ(mkdirat(at, "moved-0", 0700), 0);
      const int next = openat(at, "moved-0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      close(at);
      at = next;
    }
    close(at);
    chmod((workspace + "/closed").c_str(), 0000);
  }
  EXPECT_EQ(Count(), 1U);
  EXPECT_TRUE(fs::exists(outside + "/kept"));
}

TEST_F(RunFolderTest, MeasuresBytesAndEntries) {
  const RunFolder folder = Make();
  EXPECT_EQ(folder.Measure(100).entries, 0);
  ASSERT_TRUE(WriteFileAtomically(folder.path() + "/tmp/a", std::string(100'000, 'x'), 0600));
  fs::create_directory(folder.path() + "/workspace/b");
  ASSERT_TRUE(WriteFileAtomically(folder.path() + "/workspace/b/c", "x", 0600));
  const RunFolder::Use use = folder.Measure(100);
  EXPECT_EQ(use.entries, 3);
  EXPECT_GE(use.bytes, 100'000);
  EXPECT_LT(use.bytes, 200'000);
  EXPECT_LE(folder.Measure(1).entries, 4);
}

TEST_F(RunFolderTest, OnlyTheStaleIsGarbage) {
  const RunFolder living = Make();
  const std::string stale = place_ + "/casemate-run-0123456789abcdef";
  fs::create_directories(stale + "/workspace/deep");
  fs::create_directory(place_ + "/someone-elses");
  const FolderGarbage garbage = RemoveStaleFolders(place_);
  EXPECT_EQ(garbage.removed, std::vector<std::string>{stale});
  EXPECT_TRUE(garbage.kept.empty());
  EXPECT_EQ(Count(), 2U);
}

TEST_F(RunFolderTest, AnotherUsersFolderIsNotTouched) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make another user's folder";
  const std::string other = place_ + "/casemate-run-0123456789abcdef";
  fs::create_directory(other);
  ASSERT_EQ(chown(other.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(RemoveStaleFolders(place_).removed.empty());
  EXPECT_TRUE(fs::exists(other));
}

}  // namespace
}  // namespace casemate::process
