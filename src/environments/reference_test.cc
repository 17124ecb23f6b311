#include "environments/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using Kind = EnvironmentReference::Kind;
using ::testing::HasSubstr;

TEST(EnvironmentReferenceTest, HasOneFormForEachKind) {
  struct Row {
    const char* text;
    Kind kind;
    const char* value;
    const char* python;
  };
  for (const Row& row : {Row{"host", Kind::kHost, "", ""}, Row{"python=3.12", Kind::kHost, "", "python3.12"},
                         Row{"requirements:a/b.txt", Kind::kRequirements, "a/b.txt", ""},
                         Row{"requirements:a,b.txt,python=3.9", Kind::kRequirements, "a,b.txt", "python3.9"},
                         Row{"packages:a>=1,<2,b", Kind::kPackages, "a>=1,<2,b", ""},
                         Row{"image:x,python=3.9", Kind::kImage, "x,python=3.9", ""},
                         Row{"sha256:0123456789ab", Kind::kBuilt, "0123456789ab", ""}}) {
    const auto reference = ParseEnvironmentReference(row.text);
    ASSERT_TRUE(reference) << row.text << ": " << reference.error().message;
    EXPECT_EQ(reference->kind, row.kind) << row.text;
    EXPECT_EQ(reference->value, row.value);
    EXPECT_EQ(reference->python, row.python);
  }
}

TEST(EnvironmentReferenceTest, RefusesTheRest) {
  for (const char* text : {"", "Host", "requirements", "requirements:", "python=2.7", "python=3.1/../x",
                           "python=3.", "sha256:abc", "sha256:0123456789ZZ", "image:a\nb", "no:such"}) {
    EXPECT_FALSE(ParseEnvironmentReference(text)) << text;
  }
  EXPECT_THAT(ParseEnvironmentReference("hots").error().message, HasSubstr("requirements:FILE"));
}

TEST(EnvironmentReferenceTest, MakesPathsAbsolute) {
  EXPECT_EQ(AbsoluteEnvironment("host"), "host");
  EXPECT_EQ(AbsoluteEnvironment("packages:a"), "packages:a");
  EXPECT_EQ(AbsoluteEnvironment("image:/a.tar"), "image:/a.tar");
  EXPECT_TRUE(AbsoluteEnvironment("image:a.tar").starts_with("image:/"));
  EXPECT_TRUE(AbsoluteEnvironment("image:a.tar").ends_with("/a.tar"));
}

}  // namespace
}  // namespace casemate
