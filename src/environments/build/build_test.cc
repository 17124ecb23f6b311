#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "environments/build/confined.h"
#include "environments/build/contents.h"
#include "environments/build/resolve.h"
#include "environments/build/rules.h"
#include "environments/build/tree_writer.h"
#include "environments/build/wheel.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class TreeTest : public ::testing::Test {
 protected:
  TreeTest() {
    path_ = std::filesystem::temp_directory_path() / "casemate-tree-XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
    std::filesystem::create_directory(path_ + "/root");
    root_ = UniqueFd(open((path_ + "/root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~TreeTest() override { std::filesystem::remove_all(path_); }

  std::string path_;
  UniqueFd root_;
};

TEST_F(TreeTest, NothingLeavesTheFolderByAnyLink) {
  TreeWriter tree(root_.get(), TreeLinks::kInRoot, {});
  ASSERT_TRUE(tree.Symlink("absolute", path_));
  ASSERT_TRUE(tree.Symlink("up", "../.."));
  ASSERT_TRUE(tree.Symlink("chain", "up/up"));
  for (const char* path : {"absolute/file", "up/file", "chain/file"}) (void)tree.File(path, 0644, true);
  EXPECT_FALSE(FileExists(path_ + "/file"));
  EXPECT_FALSE(FileExists(std::filesystem::path(path_).parent_path() / "file"));
  // ".." of the root is the root, as in a container.
  EXPECT_TRUE(FileExists(path_ + "/root/file"));
}

TEST_F(TreeTest, AWheelHasNoLinksAndNothingTwice) {
  TreeWriter tree(root_.get(), TreeLinks::kNone, {});
  EXPECT_FALSE(tree.Symlink("a", "b"));
  ASSERT_TRUE(tree.File("x", 0644, false));
  EXPECT_FALSE(tree.Hardlink("y", "x"));
  EXPECT_THAT(tree.File("x", 0644, false).error().message, HasSubstr("twice"));
  // One that was there before is not walked through either.
  ASSERT_EQ(symlinkat(path_.c_str(), root_.get(), "link"), 0);
  EXPECT_FALSE(tree.File("link/file", 0644, false));
  EXPECT_FALSE(FileExists(path_ + "/file"));
}

TEST_F(TreeTest, BombsEndAtTheirLimit) {
  TreeWriter tree(root_.get(), TreeLinks::kNone, {.bytes_max = 100, .files_max = 3});
  EXPECT_TRUE(tree.Count(100, 0));
  EXPECT_FALSE(tree.Count(1, 0));
  EXPECT_FALSE(tree.Count(-1, 0));
  EXPECT_TRUE(tree.Folder("a/b", 0755));
  EXPECT_TRUE(tree.File("a/c", 0644, false));
  EXPECT_FALSE(tree.File("a/d", 0644, false));
}

TEST(TreePathTest, IsRelativeAndStaysInside) {
  EXPECT_EQ(*TreeWriter::CheckPath("./a//b/./c/"), "a/b/c");
  EXPECT_EQ(*TreeWriter::CheckPath("a/..b/..."), "a/..b/...");
  for (const std::string& path :
       {std::string("/a"), std::string("../a"), std::string("a/../b"), std::string("a/.."),
        std::string(5000, 'a'), std::string("a/") + std::string(256, 'b'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(TreeWriter::CheckPath(path)) << path;
  }
}

TEST_F(TreeTest, AConfinedProcessHasOnlyItsFolder) {
  Confinement confinement;
  confinement.writable = path_ + "/root";
  const auto tried = RunConfined(confinement, [this]() -> Expected<std::string> {
    std::string done;
    if (open((path_ + "/outside").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) done += "outside ";
    if (open((path_ + "/root/inside").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0) done += "inside ";
    if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0) done += "socket ";
    if (mknod((path_ + "/root/device").c_str(), S_IFCHR | 0600, 0x103) == 0) done += "device ";
    const char* const argv[] = {"/bin/true", nullptr};  // NOLINT(modernize-avoid-c-arrays): as execve has it
    execve(argv[0], const_cast<char* const*>(argv),
           environ);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return done;
  });
  ASSERT_TRUE(tried) << tried.error().message;
  EXPECT_EQ(*tried, "inside ");
}

TEST_F(TreeTest, AConfinedCommandStartsNoOther) {
  ConfinedCommand command;
  command.argv = {"/bin/sh", "-c", "echo first; /bin/echo second"};
  command.working_dir = "/";
  command.timeout_ms = 20'000;
  const auto done = RunConfinedCommand({}, command);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->out, "first\n");
  EXPECT_NE(done->exit_code, 0);
}

TEST(ConfinedTest, AnErrorComesBackWhole) {
  const auto failed = RunConfined({}, []() -> Expected<std::string> {
    return Fail(ErrorCode::kInvalidRequest, "the reason", "the cause");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().ToString(), "the reason (the cause)");
  EXPECT_FALSE(RunConfined({}, []() -> Expected<std::string> { std::abort(); }));
}

TEST_F(TreeTest, ContentsTellWhatHasChanged) {
  std::filesystem::create_directories(path_ + "/root/a b");
  ASSERT_TRUE(WriteFileAtomically(path_ + "/root/a b/x\ny", "text", 0644));
  ASSERT_EQ(symlinkat("a b", root_.get(), "link"), 0);
  const auto before = ListContents(path_ + "/root", false);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->bytes, 4);
  ASSERT_EQ(ReadContents(before->text).size(), 2U);
  EXPECT_EQ(ReadContents(before->text)[0].path, "a b/x\ny");
  ASSERT_TRUE(WriteFileAtomically(path_ + "/root/a b/x\ny", "tExt", 0644));
  const auto now = ListContents(path_ + "/root", false);
  EXPECT_EQ(FirstDifference(before->text, before->text), "");
  EXPECT_EQ(FirstDifference(before->text, now->text), "a b/x\ny has changed");
}

TEST(WheelNameTest, IsTakenApart) {
  const auto wheel = ParseWheelName("Foo_Bar-1.0-1-cp311-cp311-manylinux_2_17_x86_64.whl");
  ASSERT_TRUE(wheel);
  EXPECT_EQ(wheel->name, "foo-bar");
  EXPECT_EQ(wheel->version, "1.0");
  for (const char* name : {"a.whl", "a-1.whl", "a-1-b-c-d-e-f.whl", "a-1--none-any.whl",
                           "a/b-1-py3-none-any.whl", "a-1-py3-none-any.tar"}) {
    EXPECT_FALSE(ParseWheelName(name)) << name;
  }
}

TEST(EntryPointsTest, GiveScriptsAndNoOtherCode) {
  const auto scripts = ConsoleScripts(
      "[other]\nx = a:b\n[console_scripts]\n# c\ngo = pkg.cli:main [extra]\nbad name = a:b\n../up = a:b\n"
      "evil = a:b;import os\nnone = a\n");
  EXPECT_THAT(scripts, ElementsAre(Pair("go",
                                        "#!/usr/bin/env python3\nimport sys\nfrom pkg.cli import main\n"
                                        "sys.exit(main())\n")));
}

TEST(PackageRulesTest, ADenialWinsAndAnAllowanceExcludesTheRest) {
  const auto rules = PackageRules::Parse("allow Numpy # why\nallow zope.*\ndeny zope-evil\n", "rules");
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->Check("numpy"));
  EXPECT_TRUE(rules->Check("zope-interface"));
  EXPECT_THAT(rules->Check("zope-evil").error().message, HasSubstr("deny zope-evil"));
  EXPECT_THAT(rules->Check("pandas").error().message, HasSubstr("allow pandas"));
  EXPECT_TRUE(PackageRules().Check("anything"));
  EXPECT_THAT(PackageRules::Parse("allow a\nallow\n", "rules").error().message, HasSubstr("rules:2"));
  EXPECT_FALSE(PackageRules::Parse("permit a", "rules"));
}

TEST(ResolverMessageTest, KeepsTheReasonAlone) {
  const std::string conflict = CleanResolverMessage(
      "Collecting a\n\nThe conflict is caused by:\n    a 1 depends on b>=2\n    c 1 depends on b<2\n\nTo fix "
      "this you "
      "could try to:\n1. loosen\n",
      "ERROR: Cannot install a and c because these package versions have conflicting dependencies.\n"
      "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/x\n");
  EXPECT_EQ(
      conflict,
      "Cannot install a and c because these package versions have conflicting dependencies.; The conflict is "
      "caused by: a 1 depends on b>=2; c 1 depends on b<2");
}

}  // namespace
}  // namespace casemate
