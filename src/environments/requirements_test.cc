#include "environments/requirements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Expected<Requirements> Parse(std::string_view text, const std::map<std::string, std::string>& files = {}) {
  return ParseRequirements(text, "dir/requirements.txt",
                           [&files](const std::string& path) -> Expected<std::string> {
                             const auto file = files.find(path);
                             if (file == files.end())
                               return Fail(ErrorCode::kNotFound, path + " is not there");
                             return file->second;
                           });
}

TEST(RequirementsTest, TakesNamesVersionsMarkersAndIncludes) {
  const auto found = Parse(
      "\xef\xbb\xbf# comment\r\n"
      "numpy\n"
      "pandas >=2,<3 # why\n"
      "requests[socks]~=2.0 ; python_version > \"3.8\" and extra == 'a@b'\n"
      "  \n"
      "-r more.txt\n--constraint=c.txt\n--pre\n--only-binary :all:\n",
      {{"dir/more.txt", "six==1.0\n-rsub/last.txt\n"},
       {"dir/c.txt", "numpy<2\n"},
       {"dir/sub/last.txt", "zict"}});
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_THAT(found->lines, ElementsAre("numpy", "pandas >=2,<3",
                                        "requests[socks]~=2.0 ; python_version > \"3.8\" and extra == 'a@b'",
                                        "six==1.0", "zict"));
  EXPECT_THAT(found->constraints, ElementsAre("numpy<2"));
  EXPECT_THAT(found->options, ElementsAre("--pre"));
  EXPECT_FALSE(found->hashed);
}

TEST(RequirementsTest, KnowsALock) {
  const std::string hash(64, 'a');
  const auto found = Parse("a==1 \\\n    --hash=sha256:" + hash + " \\\n    --hash sha256:" + hash + "\n");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->hashed);
  EXPECT_THAT(found->lines, ElementsAre("a==1 --hash=sha256:" + hash + " --hash=sha256:" + hash));
  EXPECT_FALSE(Parse("a>=1 --hash=sha256:" + hash)->hashed);
}

TEST(RequirementsTest, RefusesWhatRunsCodeOrAsksOthersAndSaysWhere) {
  for (const char* line : {"-e .",
                           "-e git+https://example.invalid/x",
                           "--editable=.",
                           "./folder",
                           "../x",
                           "/x",
                           "~/x",
                           "folder/x",
                           "x.tar.gz",
                           "x-1-py3-none-any.whl",
                           "git+https://example.invalid/x",
                           "x @ https://example.invalid/x.whl",
                           "x@file:///x",
                           "https://example.invalid/x.zip",
                           "-i http://x",
                           "--index-url http://x",
                           "-fhttp://x",
                           "--extra-index-url=http://x",
                           "--trusted-host x",
                           "--no-binary :all:",
                           "--no-such",
                           "[x]",
                           "=1",
                           "x y",
                           "x --config-settings a=b",
                           "x --hash=md5:00",
                           "x --hash=sha256:12",
                           "x\x01y",
                           "-r",
                           "-r gone.txt",
                           "-x"}) {
    const auto found = Parse(std::string("a\nb \\\n  ==1\n") + line + "\n");
    ASSERT_FALSE(found) << line;
    EXPECT_THAT(found.error().message, HasSubstr("dir/requirements.txt:4")) << line;
  }
}

TEST(RequirementsTest, EndsWhatIncludesItself) {
  const auto found = Parse("-r self.txt", {{"dir/self.txt", "-r self.txt"}});
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("ten files deep"));
}

TEST(RequirementsTest, SplitsAListAtItsItems) {
  EXPECT_THAT(ParsePackageList("numpy, pandas>=2,<3,x[a,b]==1,y")->lines,
              ElementsAre("numpy", "pandas>=2,<3", "x[a,b]==1", "y"));
  for (const char* list : {"a\n-e .", "a,,b", "a,./b", ",a", "a @ http://x", "-e ."})
    EXPECT_FALSE(ParsePackageList(list)) << list;
}

TEST(RequirementsTest, NormalizesNames) {
  EXPECT_EQ(NormalizedName("Foo._-Bar"), "foo-bar");
  EXPECT_EQ(NormalizedName("zope.interface"), "zope-interface");
}

}  // namespace
}  // namespace casemate
