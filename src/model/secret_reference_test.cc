#include "model/secret_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SecretReferenceTest, SplitsAtTheFirstColon) {
  const auto reference = ParseSecretReference("vault:kv/a:b#field");
  ASSERT_TRUE(reference);
  EXPECT_EQ(reference->scheme, "vault");
  EXPECT_EQ(reference->place, "kv/a:b#field");
}

TEST(SecretReferenceTest, RefusesAValueWithoutRepeatingIt) {
  for (const std::string_view text : {"sk-verysecret", "", ":x", "env:", "ENV:x", "my password: x"}) {
    const auto reference = ParseSecretReference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_THAT(reference.error().ToString(), Not(HasSubstr("verysecret")));
    EXPECT_THAT(reference.error().message, HasSubstr("env:NAME"));
  }
  EXPECT_FALSE(ParseSecretReference(std::string_view("file:/a\0b", 9)));
}

TEST(SecretReferenceTest, MakesPathsAbsolute) {
  EXPECT_EQ(AbsoluteReference("file:key", "/work", "/home/me"), "file:/work/key");
  EXPECT_EQ(AbsoluteReference("dotenv:./.env#KEY", "/work", "/home/me"), "dotenv:/work/.env#KEY");
  EXPECT_EQ(AbsoluteReference("file:~/key", "/work", "/home/me"), "file:/home/me/key");
  EXPECT_EQ(AbsoluteReference("file:~other/key", "/work", "/home/me"), "file:~other/key");
  EXPECT_EQ(AbsoluteReference("file:./~key", "/work", "/home/me"), "file:/work/~key");
  EXPECT_EQ(AbsoluteReference("file:/key", "/work", "/home/me"), "file:/key");
  EXPECT_EQ(AbsoluteReference("env:KEY", "/work", "/home/me"), "env:KEY");
  EXPECT_EQ(AbsoluteReference("nothing", "/work", "/home/me"), "nothing");
}

TEST(SecretReferenceTest, KnowsWhatBelongsToAProcess) {
  EXPECT_TRUE(BelongsToProcess("env:KEY"));
  EXPECT_TRUE(BelongsToProcess("cmd:pass show key"));
  EXPECT_FALSE(BelongsToProcess("file:/key"));
  EXPECT_FALSE(BelongsToProcess("aws:env:x"));
}

}  // namespace
}  // namespace casemate
