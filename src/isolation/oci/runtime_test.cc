#include "isolation/oci/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace casemate::oci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseVersionTest, TakesTheLastWordOfTheFirstLine) {
  EXPECT_EQ(ParseVersion("runsc version release-20260101.0\nspec: 1.2.1\n"), "release-20260101.0");
  EXPECT_EQ(ParseVersion("crun version 1.8.1\ncommit: x\n"), "1.8.1");
  EXPECT_EQ(ParseVersion("kata-runtime  : 3.2.0\n   commit   : y\n"), "3.2.0");
  EXPECT_EQ(ParseVersion("1.0 \r\n"), "1.0");
  EXPECT_EQ(ParseVersion(""), "of unknown version");
  EXPECT_EQ(ParseVersion("\nlate"), "of unknown version");
}

TEST(ListPlatformsTest, TakesTheBestFirst) {
  constexpr std::string_view kNew =
      "-platform\n which platform to use: systrap (default), ptrace, kvm.\n kvm";
  constexpr std::string_view kOld = "which platform to use: ptrace (default), kvm. (default \"ptrace\")\n";
  EXPECT_THAT(ListPlatforms(kNew, true), ElementsAre("kvm", "systrap", "ptrace"));
  EXPECT_THAT(ListPlatforms(kNew, false), ElementsAre("systrap", "ptrace"));
  EXPECT_THAT(ListPlatforms(kOld, false), ElementsAre("ptrace"));
  EXPECT_THAT(ListPlatforms("kvm and systrap elsewhere", true), ElementsAre("ptrace"));
}

const Trial kWorks = [](const Runtime&) { return Expected<void>(); };

// A program that answers as a runtime would.
class FindRuntimeTest : public testing::Test {
 protected:
  FindRuntimeTest() {
    std::filesystem::create_directories(folder_);
    setenv("CASEMATE_RUNSC", path_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): a test of one thread
  }
  ~FindRuntimeTest() override {
    unsetenv("CASEMATE_RUNSC");  // NOLINT(concurrency-mt-unsafe): as above
    std::filesystem::remove_all(folder_);
  }
  void Install(const std::string& script) const {
    ASSERT_TRUE(WriteFileAtomically(path_, "#!/bin/sh\n" + script, 0755));
  }
  void ExpectRefusal(const std::string& why) const {
    const auto runtime = FindRuntime(RuntimeKind::kRunsc, folder_, kWorks);
    ASSERT_FALSE(runtime);
    EXPECT_EQ(runtime.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(runtime.error().message, HasSubstr(why));
    EXPECT_THAT(runtime.error().message, HasSubstr("fetch_runsc")) << "no way out is named";
  }

  std::string folder_ = testing::TempDir() + "/casemate-runtime-test-" + std::to_string(getpid());
  std::string path_ = folder_ + "/runsc";
};

TEST_F(FindRuntimeTest, RefusesWhatIsMissing) { ExpectRefusal("there is no runsc"); }

TEST_F(FindRuntimeTest, RefusesWhatIsNoRuntime) {
  Install("exit 1\n");
  ExpectRefusal("no working OCI runtime");
}

TEST_F(FindRuntimeTest, RefusesOneThatCannotPassDescriptors) {
  Install("echo runsc version 2022\n");
  ExpectRefusal("(2022) cannot pass descriptors");
}

TEST_F(FindRuntimeTest, AsksOnceAndAgainWhenTheExecutableIsAnother) {
  const std::string answers =
      "case $1 in flags) echo 'which platform to use: systrap, kvm';; help) echo ' -pass-fd';; esac\n";
  Install("echo asked >> " + folder_ + "/log; echo runsc version 1.0\n" + answers);
  for (int look = 0; look < 2; ++look) {
    const auto runtime = FindRuntime(RuntimeKind::kRunsc, folder_, kWorks);
    ASSERT_TRUE(runtime) << runtime.error().message;
    EXPECT_EQ(runtime->version, "1.0");
    EXPECT_THAT(runtime->Describe(), HasSubstr("runsc 1.0, platform "));
  }
  EXPECT_EQ(ReadFile(folder_ + "/log", 100).value_or(""), "asked\nasked\nasked\n") << "three questions, once";
  Install("echo runsc version 2.0-longer\n" + answers);
  const auto other = FindRuntime(RuntimeKind::kRunsc, folder_, kWorks);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->version, "2.0-longer");
}

TEST_F(FindRuntimeTest, TakesThePlatformThatStarts) {
  Install("echo 'runsc version 1.0'; echo ' -pass-fd which platform to use: systrap, ptrace'\n");
  const auto only = [](std::string_view platform) {
    return [platform](const Runtime& runtime) -> Expected<void> {
      if (runtime.platform == platform) return {};
      return Fail(ErrorCode::kUnavailable, "it does not start");
    };
  };
  const auto runtime = FindRuntime(RuntimeKind::kRunsc, "", only("ptrace"));
  ASSERT_TRUE(runtime) << runtime.error().message;
  EXPECT_EQ(runtime->platform, "ptrace");
  const auto none = FindRuntime(RuntimeKind::kRunsc, "", only("none"));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().cause, HasSubstr("it does not start"));
}

}  // namespace
}  // namespace casemate::oci
