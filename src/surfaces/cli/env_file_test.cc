#include "surfaces/cli/env_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using ::testing::HasSubstr;

std::optional<std::string> Host(const std::string& name) {
  if (name == "HOSTED") return "from host";
  return std::nullopt;
}

using Env = std::map<std::string, std::string>;

TEST(EnvFileTest, DockersFormat) {
  const auto env = ParseEnvFile(
      "\xEF\xBB\xBF# comment\r\n\n  A=1\r\nB=a b # kept\nC=\"q\"\nD=\nHOSTED\nMISSING\nA=2", Host);
  ASSERT_TRUE(env);
  EXPECT_EQ(*env, (Env{{"A", "2"}, {"B", "a b # kept"}, {"C", "\"q\""}, {"D", ""}, {"HOSTED", "from host"}}));
}

TEST(EnvFileTest, ErrorsNameTheLine) {
  for (const char* text :
       {"A=1\n=2\n", "A=1\nB C=2\n", "A=1\n\x01=2\n", "A=1\n\xff=2\n", "A=1\nexport X=1"}) {
    const auto env = ParseEnvFile(text, Host);
    ASSERT_FALSE(env) << text;
    EXPECT_EQ(env.error().code, ErrorCode::kInvalidRequest);
    EXPECT_THAT(env.error().message, HasSubstr("line 2"));
  }
  EXPECT_FALSE(ParseEnvFile(std::string_view("A=x\0y", 5), Host));
}

TEST(EnvFileTest, EmptyFileIsFine) {
  EXPECT_TRUE(ParseEnvFile("", Host)->empty());
  EXPECT_TRUE(ParseEnvFile("\n\n \t\n", Host)->empty());
}

}  // namespace
}  // namespace casemate
