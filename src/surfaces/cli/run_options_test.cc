#include "surfaces/cli/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "surfaces/cli/run_flags.h"

namespace casemate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Words = std::vector<std::string>;

RunOptions Parse(const Words& words) {
  auto options = ParseRunOptions(words);
  EXPECT_TRUE(options) << options.error().ToString();
  return options ? *std::move(options) : RunOptions{};
}

Error ParseError(const Words& words) {
  const auto options = ParseRunOptions(words);
  EXPECT_FALSE(options) << "accepted";
  return options ? Error{} : options.error();
}

TEST(RunOptionsTest, FileAndItsArguments) {
  const RunOptions options = Parse({"--json", "dir/app.py", "--memory", "1g", "--", "-x"});
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.code->kind, Source::Kind::kFile);
  EXPECT_EQ(options.code->value, "dir/app.py");
  EXPECT_EQ(options.request.code_name, "app.py");
  EXPECT_THAT(options.request.args, ElementsAre("--memory", "1g", "--", "-x"));
  EXPECT_TRUE(options.request.limits.empty()) << "flags after the program are the program's";
}

TEST(RunOptionsTest, CodeAndItsArguments) {
  const RunOptions options = Parse({"-c", "print(1)", "a", "--json"});
  EXPECT_EQ(options.code->kind, Source::Kind::kText);
  EXPECT_EQ(options.code->value, "print(1)");
  EXPECT_FALSE(options.json);
  EXPECT_THAT(options.request.args, ElementsAre("a", "--json"));
}

TEST(RunOptionsTest, FlagsMayFollowTheCode) { EXPECT_TRUE(Parse({"-c", "pass", "--json"}).json); }

TEST(RunOptionsTest, CommandAfterTwoDashes) {
  const RunOptions options = Parse({"-q", "--", "bash", "-c", "echo --"});
  EXPECT_FALSE(options.code);
  EXPECT_TRUE(options.quiet);
  EXPECT_THAT(options.request.command, ElementsAre("bash", "-c", "echo --"));
}

TEST(RunOptionsTest, TwoDashesAsAValueAreNoSeparator) {
  const RunOptions options = Parse({"--policy", "--", "app.py"});
  EXPECT_EQ(options.request.policy, "--");
  EXPECT_TRUE(options.request.command.empty());
  EXPECT_EQ(options.code->value, "app.py");
}

TEST(RunOptionsTest, LimitsWithDockersNamesAndUnits) {
  const RunOptions options = Parse({"-m",
                                    "128m",
                                    "--cpus=0.5",
                                    "--pids-limit",
                                    "50",
                                    "--timeout",
                                    "1m30s",
                                    "--cpu-time=500ms",
                                    "--tmpfs",
                                    "/tmp:rw,size=32m,nr_inodes=100",
                                    "--stdout-limit",
                                    "2k",
                                    "--stderr-limit",
                                    "3k",
                                    "--result-limit",
                                    "4k",
                                    "--file-size",
                                    "1m",
                                    "--limit",
                                    "open_files_max=64",
                                    "x.py"});
  const std::map<std::string, double> expected = {
      {"memory_bytes", 128.0 * 1024 * 1024},
      {"cpus", 0.5},
      {"processes_max", 50},
      {"wall_time_ms", 90'000},
      {"cpu_time_ms", 500},
      {"tmp_bytes", 32.0 * 1024 * 1024},
      {"tmp_files_max", 100},
      {"stdout_bytes_max", 2048},
      {"stderr_bytes_max", 3072},
      {"result_bytes_max", 4096},
      {"file_bytes_max", 1024.0 * 1024},
      {"open_files_max", 64},
  };
  EXPECT_EQ(options.request.limits, expected);
}

TEST(RunOptionsTest, EveryFlagIsRefusedOrAcceptedWithItsOwnName) {
  for (const RunFlag& flag : RunFlags()) {
    if (flag.argument.empty() || flag.limit.empty()) continue;
    const Error error = ParseError({"--" + std::string(flag.name), "nonsense", "x.py"});
    EXPECT_EQ(error.code, ErrorCode::kInvalidRequest) << flag.name;
    EXPECT_THAT(error.message, HasSubstr("--" + std::string(flag.name)));
  }
}

TEST(RunOptionsTest, BadInputIsOneSentenceThatNamesTheFlag) {
  const struct {
    Words words;
    const char* part;
  } kCases[] = {
      {{"--memry", "1g", "x.py"}, "did you mean \"--memory\"?"},
      {{"--zzzzzzzz", "x.py"}, "casemate run --help"},
      {{"-Z", "x.py"}, "\"-Z\""},
      {{"--memory"}, "--memory needs a value"},
      {{"-m"}, "--memory needs a value"},
      {{"--json=yes", "x.py"}, "--json takes no value"},
      {{"--memory", "-1", "x.py"}, "--memory"},
      {{"--memory", "1", "x.py"}, "--memory"},
      {{"--cpus", "0", "x.py"}, "--cpus"},
      {{"--pids-limit", "1e3", "x.py"}, "no whole number"},
      {{"--timeout", "99999h", "x.py"}, "--timeout"},
      {{"--limit", "memory_byte=1g", "x.py"}, "did you mean \"memory_bytes\"?"},
      {{"--limit", "memory_bytes", "x.py"}, "NAME=VALUE"},
      {{"--network", "bridge", "x.py"}, "allow:api.example.com"},
      {{"--network", "allow:a.example,", "x.py"}, "a destination is missing"},
      {{"--user", "root", "x.py"}, "1000"},
      {{"--tmpfs", "/data", "x.py"}, "/tmp"},
      {{"--tmpfs", "/tmp:exec", "x.py"}, "size="},
      {{"--isolation", "vm", "x.py"}, "microvm"},
      {{"--require", "auto", "x.py"}, "microvm"},
      {{"-v", "/usr", "x.py"}, "HOST:INSIDE"},
      {{"-v", "/usr:data", "x.py"}, "absolute"},
      {{"-v", "/usr:/data:z", "x.py"}, "ro"},
      {{"-v", "/not/there:/data", "x.py"}, "/not/there"},
      {{"-w", "/not/there", "x.py"}, "/not/there"},
      {{"-w", "/usr:append", "x.py"}, ":copy"},
      {{"--file", "name", "x.py"}, "NAME=PATH"},
      {{"-e", "=1", "x.py"}, "NAME=VALUE"},
      {{"--output-dir", "", "x.py"}, "empty"},
      {{"-i", "--input", "-", "x.py"}, "cannot both read stdin"},
      {{"--input", "-", "-"}, "cannot both read stdin"},
      {{"-i", "--file", "a=-", "x.py"}, "cannot both read stdin"},
  };
  for (const auto& test : kCases) {
    const Error error = ParseError(test.words);
    EXPECT_EQ(error.code, ErrorCode::kInvalidRequest) << test.part;
    EXPECT_THAT(error.message, HasSubstr(test.part));
    EXPECT_EQ(error.message.find('\n'), std::string::npos);
  }
}

TEST(RunOptionsTest, NothingToRun) {
  for (const Words& words : {Words{}, Words{"--json"}, Words{"--"}, Words{""}}) {
    EXPECT_EQ(ParseError(words).code, ErrorCode::kNotFound);
  }
}

TEST(RunOptionsTest, MountsAreReadOnlyUnlessSaid) {
  const RunOptions options = Parse({"-v", "/usr:/a", "-v", "/usr:/b:ro", "-v", "/usr:/c:rw", "x.py"});
  ASSERT_EQ(options.request.mounts.size(), 3U);
  EXPECT_EQ(options.request.mounts[0].host_path, "/usr");
  EXPECT_EQ(options.request.mounts[0].inside_path, "/a");
  EXPECT_FALSE(options.request.mounts[0].writable);
  EXPECT_FALSE(options.request.mounts[1].writable);
  EXPECT_TRUE(options.request.mounts[2].writable);
}

TEST(RunOptionsTest, WorkspaceIsAbsoluteAndReadOnlyUnlessSaid) {
  const RunOptions plain = Parse({"-w", ".", "x.py"});
  EXPECT_TRUE(plain.request.workspace->host_path.starts_with('/'));
  EXPECT_EQ(plain.request.workspace->mode, WorkspaceMode::kReadOnly);
  EXPECT_EQ(Parse({"--workspace=/usr:copy", "x.py"}).request.workspace->mode, WorkspaceMode::kCopy);
  EXPECT_EQ(Parse({"--workspace=/usr:rw", "x.py"}).request.workspace->mode, WorkspaceMode::kReadWrite);
}

TEST(RunOptionsTest, EnvironmentComesFromTheHostOnlyByName) {
  ::setenv("CASEMATE_TEST_VARIABLE", "from host", 1);
  const RunOptions options =
      Parse({"-e", "A=1=2", "-e", "CASEMATE_TEST_VARIABLE", "-e", "CASEMATE_NOT_SET", "x.py"});
  ::unsetenv("CASEMATE_TEST_VARIABLE");
  const std::map<std::string, std::string> expected = {{"A", "1=2"}, {"CASEMATE_TEST_VARIABLE", "from host"}};
  EXPECT_EQ(options.request.env, expected);
}

TEST(RunOptionsTest, InputIsTextFileOrStdin) {
  EXPECT_EQ(Parse({"--input", "{}", "x.py"}).input->kind, Source::Kind::kText);
  EXPECT_EQ(Parse({"--input", "@a.json", "x.py"}).input->value, "a.json");
  EXPECT_EQ(Parse({"--input", "-", "x.py"}).input->kind, Source::Kind::kStdin);
}

TEST(RunOptionsTest, JsonIsSeenBeforeTheProgramOnly) {
  EXPECT_TRUE(AsksForJson({"--bad", "--json"}));
  EXPECT_FALSE(AsksForJson({"--bad", "--", "x", "--json"}));
}

TEST(RunOptionsTest, HelpNamesEveryFlag) {
  EXPECT_TRUE(Parse({"--help"}).help);
  for (const RunFlag& flag : RunFlags()) {
    EXPECT_THAT(RunHelp(), HasSubstr("--" + std::string(flag.name) + " "));
    EXPECT_FALSE(flag.help.empty());
    EXPECT_NE(flag.limit.empty(), flag.apply == nullptr) << flag.name;
  }
}

}  // namespace
}  // namespace casemate
