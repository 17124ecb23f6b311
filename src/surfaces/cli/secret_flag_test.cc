#include "surfaces/cli/secret_flag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <string>

namespace casemate {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SecretFlagTest, BuildsChains) {
  std::vector<SecretRequest> secrets;
  ASSERT_TRUE(AddSecret("KEY=env:KEY", secrets));
  ASSERT_TRUE(AddSecret("PEM:file=file:/a=b", secrets));
  ASSERT_TRUE(AddSecret("KEY=file:/key", secrets));
  const std::vector<SecretRequest> expected = {{"KEY", {"env:KEY", "file:/key"}, {}, {}},
                                               {"PEM", {"file:/a=b"}, SecretMode::kFile, {}}};
  EXPECT_EQ(secrets, expected);
  EXPECT_TRUE(NeedThisProcess(secrets));
  secrets.erase(secrets.begin());
  EXPECT_FALSE(NeedThisProcess(secrets));
}

TEST(SecretFlagTest, MakesPathsAbsolute) {
  std::array<char, PATH_MAX> folder{};
  ASSERT_NE(getcwd(folder.data(), folder.size()), nullptr);
  std::vector<SecretRequest> secrets;
  ASSERT_TRUE(AddSecret("KEY=dotenv:.env#KEY", secrets));
  EXPECT_EQ(secrets[0].references[0], "dotenv:" + std::string(folder.data()) + "/.env#KEY");
  ASSERT_TRUE(AddSecret("HOME_KEY=file:~/key", secrets));
  EXPECT_THAT(secrets[1].references[0], AllOf(testing::StartsWith("file:/"), Not(HasSubstr("~"))));
}

TEST(SecretFlagTest, RepeatsNothingOfWhatMayBeASecret) {
  for (const char* value : {"KEY=hunter2", "hunter2", "=env:KEY", "KEY:hunter2=env:KEY"}) {
    std::vector<SecretRequest> secrets;
    const auto added = AddSecret(value, secrets);
    ASSERT_FALSE(added) << value;
    EXPECT_THAT(added.error().ToString(), Not(HasSubstr("hunter2")));
  }
  std::vector<SecretRequest> secrets;
  ASSERT_TRUE(AddSecret("KEY:env=env:KEY", secrets));
  EXPECT_THAT(AddSecret("KEY:file=file:/key", secrets).error().message, HasSubstr("two ways"));
}

TEST(SecretFlagTest, AHostMakesItBrokered) {
  std::vector<SecretRequest> secrets;
  ASSERT_TRUE(AddSecret("KEY@a.example,b.example:8443/x-api-key=env:KEY", secrets));
  EXPECT_EQ(secrets[0].name, "KEY");
  EXPECT_EQ(secrets[0].EffectiveMode(), SecretMode::kBrokered);
  EXPECT_THAT(secrets[0].hosts, testing::ElementsAre("a.example", "b.example:8443/x-api-key"));
  EXPECT_FALSE(AddSecret("OTHER@=env:KEY", secrets));
}

}  // namespace
}  // namespace casemate
