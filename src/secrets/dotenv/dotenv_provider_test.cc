#include "secrets/dotenv/dotenv_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/command.h"
#include "secrets/dotenv/git_index.h"
#include "secrets/provider/test_folder.h"

namespace casemate::secrets {
namespace {

using testing::HasSubstr;
using testing::Not;

class DotenvProviderTest : public testing::Test {
 protected:
  std::string Value(const std::string& place) {
    if (auto checked = provider_->Check(place); !checked) return "error: " + checked.error().ToString();
    auto fetched = provider_->Fetch(place, Deadline::After(1000));
    if (!fetched) return "error: " + fetched.error().ToString();
    return fetched->value ? std::string(fetched->value->Reveal()) : "missing: " + fetched->missing;
  }
  bool Git(std::vector<std::string> words) {
    words.insert(words.begin(), {"git", "-C", folder_.Path(""), "-c", "user.name=t", "-c", "user.email=t@t"});
    const auto done = RunCommand(words, {.env = {{"HOME", folder_.Path("")}}});
    return done && done->exit_code == 0;
  }
  TestFolder folder_;
  std::unique_ptr<Provider> provider_ = MakeDotenvProvider();
};

TEST_F(DotenvProviderTest, TakesOneVariable) {
  const std::string path = folder_.Write(".env", "A=1\nexport KEY='hunter2'\n");
  EXPECT_EQ(Value(path + "#KEY"), "hunter2");
  EXPECT_THAT(Value(path + "#NONE"), AllOf(HasSubstr("missing: "), HasSubstr("has no NONE")));
  EXPECT_THAT(Value(folder_.Path("none") + "#KEY"), HasSubstr("missing: the file "));
}

TEST_F(DotenvProviderTest, RefusesWhatItMust) {
  EXPECT_THAT(Value(folder_.Write("a", "KEY=\n") + "#KEY"), HasSubstr("is empty"));
  EXPECT_THAT(Value(folder_.Write("b", "KEY='hunter2\n") + "#KEY"),
              AllOf(HasSubstr("/b, line 1: "), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Value(folder_.Write("c", "KEY=hunter2", 0644) + "#KEY"), HasSubstr("chmod 600"));
  EXPECT_EQ(Value(folder_.Write("c", "KEY=hunter2", 0644) + "#KEY#any-mode"), "hunter2");
  EXPECT_THAT(Value(folder_.Path("c")), HasSubstr("name one of them"));
  EXPECT_THAT(Value(folder_.Path("c") + "#"), HasSubstr("name one of them"));
  EXPECT_THAT(Value(folder_.Write("d", std::string(4 * kSecretBytesMax + 1, '#')) + "#KEY"),
              HasSubstr("more than 262144 bytes"));
}

TEST_F(DotenvProviderTest, WarnsOfAFileThatGitTracks) {
  const std::string path = folder_.Write(".env", "KEY=hunter2");
  EXPECT_EQ(provider_->Advise(path + "#KEY"), "");
  if (!Git({"init", "-q"})) GTEST_SKIP() << "git is not there";
  EXPECT_EQ(provider_->Advise(path + "#KEY"), "");
  folder_.Write("a", "x");
  std::filesystem::create_directory(folder_.Path("sub"));
  folder_.Write("sub/.env", "KEY=hunter2");
  for (const char* version : {"2", "3", "4"}) {
    ASSERT_TRUE(Git({"config", "index.version", version}));
    ASSERT_TRUE(Git({"add", "-f", "a", ".env", "sub/.env"}));
    ASSERT_TRUE(Git({"update-index", "--index-version", version}));
    EXPECT_THAT(provider_->Advise(path + "#KEY"), HasSubstr("git rm --cached")) << version;
    EXPECT_TRUE(IsTrackedByGit(folder_.Path("sub/.env"))) << version;
    EXPECT_FALSE(IsTrackedByGit(folder_.Path("sub/env"))) << version;
  }
  ASSERT_TRUE(Git({"rm", "-q", "--cached", ".env"}));
  EXPECT_EQ(provider_->Advise(path + "#KEY"), "");
  EXPECT_TRUE(IsTrackedByGit(folder_.Path("sub/.env")));
}

TEST(GitIndexTest, SurvivesNonsense) {
  EXPECT_FALSE(GitIndexHas("", "a"));
  EXPECT_FALSE(GitIndexHas("DIRC", "a"));
  EXPECT_FALSE(GitIndexHas(std::string_view("DIRC\0\0\0\2\xff\xff\xff\xff", 12), "a"));
  EXPECT_FALSE(GitIndexHas(
      std::string("DIRC\0\0\0\4\0\0\0\1", 12) + std::string(62, '\0') + "\xff\xff\xff\xff\xff", "a"));
}

}  // namespace
}  // namespace casemate::secrets
