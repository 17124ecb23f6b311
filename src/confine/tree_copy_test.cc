#include "confine/tree_copy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/unique_fd.h"

namespace casemate {
namespace {

namespace fs = std::filesystem;

class TreeCopyTest : public testing::Test {
 public:
  TreeCopyTest() {
    fs::create_directories(from_);
    fs::create_directories(to_);
  }
  ~TreeCopyTest() override { fs::remove_all(place_); }

  int Copy() const {
    const UniqueFd from(open(from_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd to(open(to_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return CopyTree(from.get(), to.get());
  }
  static void Write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string Read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const fs::path place_ = fs::path(testing::TempDir()) / ("tree_copy_" + std::to_string(getpid()));
  const fs::path from_ = place_ / "from";
  const fs::path to_ = place_ / "to";
};

TEST_F(TreeCopyTest, CopiesFilesFoldersAndLinksWithTheirModes) {
  fs::create_directories(from_ / "a/b");
  Write(from_ / "a/b/file", "text");
  ASSERT_EQ(chmod((from_ / "a/b/file").c_str(), 0640), 0);
  ASSERT_EQ(chmod((from_ / "a").c_str(), 01777), 0);
  fs::create_symlink("../../outside", from_ / "a/link");
  ASSERT_EQ(mkfifo((from_ / "pipe").c_str(), 0600), 0);
  Write(from_ / "empty", "");
  fs::create_directories(to_ / "a");
  Write(to_ / "a/kept", "kept");
  ASSERT_EQ(Copy(), 0);
  EXPECT_EQ(Read(to_ / "a/b/file"), "text");
  EXPECT_EQ(Read(to_ / "a/kept"), "kept");
  EXPECT_EQ(fs::read_symlink(to_ / "a/link"), "../../outside");
  EXPECT_TRUE(fs::is_fifo(to_ / "pipe"));
  EXPECT_EQ(fs::file_size(to_ / "empty"), 0U);
  struct stat info {};
  ASSERT_EQ(stat((to_ / "a/b/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  ASSERT_EQ(stat((to_ / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 01777U);
}

TEST_F(TreeCopyTest, AHoleStaysAHole) {
  constexpr off_t kSize = 64 << 20;
  const UniqueFd file(open((from_ / "sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(file.get(), kSize), 0);
  ASSERT_EQ(pwrite(file.get(), "x", 1, kSize / 2), 1);
  ASSERT_EQ(Copy(), 0);
  struct stat info {};
  ASSERT_EQ(stat((to_ / "sparse").c_str(), &info), 0);
  EXPECT_EQ(info.st_size, kSize);
  EXPECT_LT(info.st_blocks * 512, kSize / 4);
  const UniqueFd copy(open((to_ / "sparse").c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  ASSERT_EQ(pread(copy.get(), &byte, 1, kSize / 2), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_F(TreeCopyTest, FoldersNestedTooDeeplyAreAnError) {
  fs::path deep = from_;
  for (int i = 0; i < 70; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_EQ(Copy(), -ELOOP);
}

}  // namespace
}  // namespace casemate
