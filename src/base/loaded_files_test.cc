#include "base/loaded_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace casemate {
namespace {

class LoadedFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/loaded-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    Write("a.py", "one");
    Write("b.py", "two");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  LoadedFiles Both() const { return LoadedFiles({folder_ / "a.py", folder_ / "b.py", folder_ / "none.py"}); }

  std::filesystem::path folder_;
};

TEST_F(LoadedFilesTest, AreAsTheyWere) {
  const LoadedFiles files = Both();
  EXPECT_FALSE(files.HaveChanged());
  Write("other.py", "x");
  EXPECT_FALSE(files.HaveChanged());
}

TEST_F(LoadedFilesTest, AFileWrittenToHasChanged) {
  const LoadedFiles files = Both();
  Write("b.py", "three");
  EXPECT_TRUE(files.HaveChanged());
}

TEST_F(LoadedFilesTest, AFileReplacedByOneOfTheSameSizeAndTimeHasChanged) {
  const LoadedFiles files = Both();
  Write("new.py", "own");
  std::filesystem::last_write_time(folder_ / "new.py", std::filesystem::last_write_time(folder_ / "a.py"));
  std::filesystem::rename(folder_ / "new.py", folder_ / "a.py");
  EXPECT_TRUE(files.HaveChanged());
}

TEST_F(LoadedFilesTest, AFileThatIsGoneHasChanged) {
  const LoadedFiles files = Both();
  std::filesystem::remove(folder_ / "a.py");
  EXPECT_TRUE(files.HaveChanged());
}

}  // namespace
}  // namespace casemate
