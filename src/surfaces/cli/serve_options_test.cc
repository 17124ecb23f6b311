#include "surfaces/cli/serve_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casemate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ServeOptionsTest, Defaults) {
  const auto options = ParseServeOptions({});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->engine.warm.enabled);
  EXPECT_EQ(options->engine.warm.cells_max, 16);
  EXPECT_THAT(options->engine.warm.preload, IsEmpty());
  EXPECT_EQ(options->drain_ms, 30'000);
  EXPECT_EQ(options->server.connections_max, 1024U);
  EXPECT_EQ(options->socket, "");
  EXPECT_FALSE(options->help);
}

TEST(ServeOptionsTest, EveryFlag) {
  const auto options = ParseServeOptions({"--socket", "/s", "--preload=numpy,os.path,_x1", "--pool-size", "4",
                                          "--pool-idle=1m", "--drain-timeout", "2s", "--max-connections=10",
                                          "--python", "/p", "--state-dir=/d"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->socket, "/s");
  EXPECT_THAT(options->engine.warm.preload, ElementsAre("numpy", "os.path", "_x1"));
  EXPECT_EQ(options->engine.warm.cells_max, 4);
  EXPECT_EQ(options->engine.warm.idle_expiry_ms, 60'000);
  EXPECT_EQ(options->drain_ms, 2000);
  EXPECT_EQ(options->server.connections_max, 10U);
  EXPECT_EQ(options->engine.python, "/p");
  EXPECT_EQ(options->engine.state_dir, "/d");
}

TEST(ServeOptionsTest, APoolOfNoneIsNoPool) {
  EXPECT_FALSE(ParseServeOptions({"--pool-size=0"})->engine.warm.enabled);
}

TEST(ServeOptionsTest, Refusals) {
  const auto says = [](const std::vector<std::string>& words) {
    const auto options = ParseServeOptions(words);
    return options ? "taken" : options.error().message;
  };
  EXPECT_THAT(says({"--sockt", "x"}), HasSubstr("did you mean \"--socket\"?"));
  EXPECT_THAT(says({"word"}), HasSubstr("has no \"word\""));
  EXPECT_THAT(says({"--socket"}), HasSubstr("--socket needs a value"));
  EXPECT_THAT(says({"--socket="}), HasSubstr("--socket: the path is empty"));
  EXPECT_THAT(says({"--pool-size", "-1"}), HasSubstr("no whole number from 0"));
  EXPECT_THAT(says({"--pool-size", "4x"}), HasSubstr("--pool-size"));
  EXPECT_THAT(says({"--max-connections", "0"}), HasSubstr("from 1"));
  EXPECT_THAT(says({"--drain-timeout", "2d"}), HasSubstr("--drain-timeout"));
  EXPECT_THAT(says({"--drain-timeout", "25h"}), HasSubstr("more than a day"));
  for (const char* list : {",numpy", "numpy,,os", "a b", "1a", "a..b", ".a", "a.", "a;b"}) {
    const std::string said = says({"--preload", list});
    EXPECT_THAT(said, HasSubstr("--preload")) << list;
  }
}

TEST(ServeOptionsTest, HelpNamesEveryFlag) {
  EXPECT_TRUE(ParseServeOptions({"--help"})->help);
  for (const char* flag : {"--socket", "--preload", "--pool-size", "--pool-idle", "--drain-timeout",
                           "--max-connections", "--lifeline", "--python", "--state-dir"}) {
    EXPECT_THAT(ServeHelp(), HasSubstr(flag));
  }
}

}  // namespace
}  // namespace casemate
