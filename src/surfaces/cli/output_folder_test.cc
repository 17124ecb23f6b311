#include "surfaces/cli/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "model/base64.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class OutputFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/casemate-output-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    base_ = name;
    out_ = base_ + "/deep/out";
  }
  void TearDown() override { fs::remove_all(base_); }

  OutputFolder Open(bool force = false) {
    auto folder = OutputFolder::Open(out_, force);
    EXPECT_TRUE(folder) << folder.error().ToString();
    return *std::move(folder);
  }
  std::string Read(const std::string& name) {
    return ReadFile(out_ + "/" + name, 1 << 20).value_or("<none>");
  }
  std::size_t CountAll() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(base_)) ++count;
    return count;
  }

  std::string base_;
  std::string out_;
};

TEST_F(OutputFolderTest, WritesWithFolders) {
  OutputFolder folder = Open();
  EXPECT_TRUE(folder.Write("a.txt", "1"));
  EXPECT_TRUE(folder.Write("x/y/b.bin", std::string_view("\0\xff", 2)));
  EXPECT_TRUE(folder.Write("x/y/..c", "dots in a name are fine"));
  EXPECT_EQ(Read("a.txt"), "1");
  EXPECT_EQ(Read("x/y/b.bin"), std::string("\0\xff", 2));
}

TEST_F(OutputFolderTest, HostileNamesAreRefusedAndWriteNothing) {
  OutputFolder folder = Open();
  const std::size_t before = CountAll();
  const std::string long_name(5000, 'a');
  for (const std::string& name :
       {std::string(), std::string("/etc/passwd"), std::string("../evil"), std::string("a/../../evil"),
        std::string(".."), std::string("."), std::string("a//b"), std::string("a/./b"), std::string("a/"),
        std::string("/"), std::string("a\nb"), std::string("\x1b[2J"), std::string("a\0b", 3), long_name,
        std::string(300, 'b')}) {
    const auto written = folder.Write(name, "evil");
    ASSERT_FALSE(written) << name;
    EXPECT_EQ(written.error().message.find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(CountAll(), before);
}

TEST_F(OutputFolderTest, ADiskThatTakesNoMoreIsAFailureAndAHostileNameIsNone) {
  ExecutionResult result;
  result.files.push_back({"../out", 1, "x", false});
  OutputFolder folder = Open();
  EXPECT_FALSE(WriteOutput(result, folder).failed);

  result.files = {{"large", 100, std::string(100, 'x'), false}};
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{10, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const WrittenOutput written = WriteOutput(result, folder);
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(written.failed);
  EXPECT_THAT(written.problems, ElementsAre(HasSubstr("large")));
  EXPECT_EQ(Read("large"), "<none>");
}

TEST_F(OutputFolderTest, LinksAreNotFollowed) {
  OutputFolder folder = Open(true);
  fs::create_directory(base_ + "/outside");
  ASSERT_TRUE(WriteFileAtomically(base_ + "/victim", "precious", 0644));
  fs::create_directory_symlink(base_ + "/outside", out_ + "/link");
  fs::create_symlink(base_ + "/victim", out_ + "/file");
  EXPECT_FALSE(folder.Write("link/evil", "x"));
  EXPECT_TRUE(fs::is_empty(base_ + "/outside"));
  EXPECT_TRUE(folder.Write("file", "new")) << "with --force the link itself is replaced";
  EXPECT_EQ(ReadFile(base_ + "/victim", 100).value(), "precious");
  EXPECT_FALSE(fs::is_symlink(out_ + "/file"));
}

TEST_F(OutputFolderTest, DanglingLinkIsNotWrittenThrough) {
  OutputFolder folder = Open();
  fs::create_symlink(base_ + "/new", out_ + "/file");
  EXPECT_FALSE(folder.Write("file", "x"));
  EXPECT_FALSE(fs::exists(base_ + "/new"));
}

TEST_F(OutputFolderTest, ExistingFilesStayWithoutForce) {
  OutputFolder careful = Open();
  ASSERT_TRUE(careful.Write("a", "old"));
  const auto again = careful.Write("a", "new");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("--force"));
  EXPECT_EQ(Read("a"), "old");
  OutputFolder forced = Open(true);
  EXPECT_TRUE(forced.Write("a", "new"));
  EXPECT_EQ(Read("a"), "new");
  fs::create_directory(out_ + "/folder");
  EXPECT_FALSE(forced.Write("folder", "x")) << "a folder is never removed";
}

TEST_F(OutputFolderTest, FileInPlaceOfTheFolder) {
  ASSERT_TRUE(WriteFileAtomically(base_ + "/deep", "", 0644));
  const auto folder = OutputFolder::Open(out_, false);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(folder.error().message, HasSubstr("--output-dir"));
}

TEST_F(OutputFolderTest, DisplaysByTheirForms) {
  ExecutionResult result;
  result.displays.push_back({{{"image/png", EncodeBase64("\x89PNG")}, {"text/plain", "<Figure>"}}});
  result.displays.push_back({{{"text/html", "<b>"}, {"application/json", "[1]"}, {"text/plain", "t"}}});
  result.displays.push_back({{{"text/plain", "only"}}});
  result.displays.push_back({{{"image/png", "not base64!"}}});
  result.displays.push_back({{{"application/x-evil/../../x", "y"}}});
  result.files.push_back({"big.bin", 1 << 30, "", true});
  result.files.push_back({"../up", 1, "x", false});
  OutputFolder folder = Open();
  const WrittenOutput output = WriteOutput(result, folder);
  EXPECT_THAT(output.names,
              ElementsAre("display-1.png", "display-2.html", "display-2.json", "display-3.txt"));
  EXPECT_THAT(output.problems,
              ElementsAre(HasSubstr("big.bin"), HasSubstr("../up"), HasSubstr("display-4.png")));
  EXPECT_EQ(Read("display-1.png"), "\x89PNG");
  EXPECT_EQ(Read("display-3.txt"), "only");
  EXPECT_FALSE(fs::exists(base_ + "/deep/up"));
}

}  // namespace
}  // namespace casemate
