#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/unique_fd.h"
#include "engine/diagnose.h"
#include "engine/engine_fixture.h"
#include "engine/flow.h"
#include "isolation/fake/fake_backend.h"
#include "runtime/frame.h"

namespace casemate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(EngineTest, TellsARunInOrder) {
  const std::string frames = Started() + EncodeFrame(FrameType::kDisplay, R"({"text/plain":"plot"})") +
                             EncodeFrame(FrameType::kResult, R"({"a": 1})") +
                             EncodeFrame(FrameType::kTimings, R"({"imports":42})") +
                             EncodeFrame(FrameType::kEnd, "");
  const ExecutionResult result = Run({.stdout_text = "hello\n", .result_bytes = frames});
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.stdout_text, "hello\n");
  ASSERT_TRUE(result.result);
  ASSERT_THAT(result.displays, SizeIs(1));
  EXPECT_FALSE(result.error);
  EXPECT_EQ(result.policy, "default");
  EXPECT_EQ(result.environment, "host");
  EXPECT_EQ(result.isolation.tier, Tier::kContainer);
  EXPECT_EQ(result.code_sha256, Sha256Hex("print(1)"));
  // Bytes of different channels have no order between them.
  ASSERT_THAT(events_.words, SizeIs(5));
  EXPECT_EQ(events_.words.front(), "started");
  EXPECT_THAT(events_.words, testing::UnorderedElementsAre("started", "out:hello\n", "display:plot",
                                                           "result:" + result.result->text(), "finished:ok"));
  EXPECT_EQ(events_.words[3], "result:" + result.result->text());
  EXPECT_EQ(events_.words.back(), "finished:ok");
}

TEST_F(EngineTest, NamesTheStepsOfARun) {
  const ExecutionResult result =
      Run({.result_bytes = Started() + EncodeFrame(FrameType::kTimings, R"({"x":7})")});
  std::vector<std::string> steps;
  for (const Timing& timing : result.timings) {
    steps.push_back(timing.step);
    EXPECT_GE(timing.microseconds, 0);
  }
  EXPECT_THAT(steps, ElementsAre("check", "environment", "admit", "plan", "audit", "fake", "run", "x",
                                 "redact", "teardown", "record"));
}

TEST_F(EngineTest, GivesTheBackendAllThatTheProgramNeeds) {
  request_.args = {"one"};
  request_.input_json = R"({"n": 12345678901234567890})";
  request_.files = {{"data/a.csv", "1,2"}};
  request_.env = {{"NAME", "value"}};
  request_.stdin_bytes = "typed";
  request_.limits = {{"memory_bytes", 64.0 * kMiB}};
  ASSERT_EQ(Run({.echoes_stdin = true}).stdout_text, "typed");
  ASSERT_TRUE(launched_);
  EXPECT_TRUE(launched_->control_channel);
  EXPECT_TRUE(launched_->stdin_pipe);
  EXPECT_EQ(launched_->policy.limits.memory_bytes, 64 * kMiB);
  EXPECT_EQ(launched_->env.at("NAME"), "value");
  ASSERT_THAT(launched_->files, SizeIs(1));
  EXPECT_EQ(launched_->argv.front(), launched_->environment.python);
  EXPECT_THAT(request_seen_, HasSubstr("print(1)"));
  EXPECT_THAT(request_seen_, HasSubstr("12345678901234567890")) << "a number lost its digits";
}

TEST_F(EngineTest, RunsACommandWithoutAHarness) {
  request_.code.reset();
  request_.command = {"sort", "-r"};
  request_.args = {"file"};
  const ExecutionResult result = Run({.exit = {7, std::nullopt}});
  EXPECT_EQ(result.status, Status::kError);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_FALSE(result.error) << "a command's exit code explains itself";
  EXPECT_THAT(launched_->argv, ElementsAre("sort", "-r", "file"));
  EXPECT_FALSE(launched_->control_channel);
  EXPECT_THAT(launched_->root_files, IsEmpty());
  EXPECT_EQ(result.code_sha256, Sha256Hex(std::string("sort\0-r\0", 8)));
}

TEST_F(EngineTest, RefusesWhatIsNoProgram) {
  request_.command = {"true"};
  ExpectRejected("either code or a command");
  request_.code.reset();
  request_.command.clear();
  ExpectRejected("either code or a command");
  request_.command = {""};
  ExpectRejected("empty");
  request_.command = {std::string("a\0b", 3)};
  ExpectRejected("NUL");
  request_.command = {"true"};
  request_.result_schema = "{}";
  ExpectRejected("a command has no");
  request_.result_schema.reset();
  request_.input_json = "1";
  ExpectRejected("a command has no");
  request_.input_json.reset();
  request_.command.clear();
  request_.code = "\xff";
  ExpectRejected("UTF-8");
  request_.code = std::string(5 << 20, '#');
  ExpectRejected("larger than");
  request_.code = "1";
  request_.language = "ruby";
  ExpectRejected("ruby");
}

TEST_F(EngineTest, RefusesNamesThatLeaveTheWorkspace) {
  for (const char* name : {"../x", "a/../../x", "/etc/passwd", "", ".", "a//b", "a/", "..", "./a"}) {
    request_.files = {{name, ""}};
    ExpectRejected("no name for a file");
  }
  request_.files = {{std::string("a\0b", 3), ""}};
  ExpectRejected("no name for a file");
  request_.files = {{std::string(300, 'x'), ""}};
  ExpectRejected("no name for a file");
}

TEST_F(EngineTest, RefusesWhatDoesNotFit) {
  request_.limits = {{"tmp_bytes", 8192}};
  request_.files = {{"a", std::string(8193, 'x')}};
  ExpectRejected("--tmp-size");
  request_.files.clear();
  request_.args = {std::string(128 * 1024, 'x')};
  ExpectRejected("128 KiB");
  request_.args.assign(1001, "x");
  ExpectRejected("more than 1000");
}

TEST_F(EngineTest, RefusesAnImpossiblePolicy) {
  request_.policy = "defualt";
  ExpectRejected("default");
  request_.policy = "default";
  request_.limits = {{"memory_bytes", 1}};
  ExpectRejected("memory_bytes");
  request_.limits = {{"memory", 1}};
  ExpectRejected("memory");
  request_.limits.clear();
  request_.environment = "moon";
  ExpectRejected("moon");
  request_.environment = "host";
  request_.env = {{"A=B", ""}};
  ExpectRejected("A=B");
  request_.env.clear();
  request_.collect = {"["};
  ExpectRejected("[");
  request_.collect.clear();
  request_.code_name = "../main.py";
  ExpectRejected("plain file name");
}

TEST_F(EngineTest, RefusesInputThatIsNotWhatItShouldBe) {
  request_.input_json = "{";
  ExpectRejected("not JSON");
  request_.input_json = R"({"a":1,"a":2})";
  ExpectRejected("not JSON");
  request_.input_json = R"({"n":"x"})";
  request_.input_schema = R"({"properties":{"n":{"type":"integer"}}})";
  ExpectRejected("/n");
  request_.input_json.reset();
  ExpectRejected("no input");
  request_.input_schema = R"({"type": 7})";
  ExpectRejected("schema");
  request_.input_schema.reset();
  request_.result_schema = "nonsense";
  ExpectRejected("schema");
}

TEST_F(EngineTest, RefusesHostFoldersThatAreNotThere) {
  request_.workspace = Workspace{*state_dir_ + "/missing", WorkspaceMode::kReadOnly};
  ExpectRejected("missing");
  request_.workspace = Workspace{kPython, WorkspaceMode::kReadOnly};
  ExpectRejected("not a folder");
  request_.workspace = Workspace{*state_dir_, WorkspaceMode::kReadOnly};
  request_.files = {{"a", ""}};
  ExpectRejected("`copy`");
}

// What is checked must be what is mounted, and the policy must know of it.
TEST_F(EngineTest, ResolvesHostFoldersAndTellsThePolicy) {
  const std::string link = *state_dir_ + "/link";
  std::filesystem::create_directories(*state_dir_ + "/real");
  std::filesystem::create_directory_symlink(*state_dir_ + "/real", link);
  const std::string real = std::filesystem::canonical(link);
  request_.workspace = Workspace{link, WorkspaceMode::kCopy};
  ASSERT_EQ(Run().status, Status::kOk);
  EXPECT_EQ(launched_->workspace->host_path, real);
  EXPECT_FALSE(launched_->policy.shares_host_folder);
  request_.workspace->mode = WorkspaceMode::kReadOnly;
  ASSERT_EQ(Run().status, Status::kOk);
  EXPECT_TRUE(launched_->policy.shares_host_folder);
  EXPECT_FALSE(launched_->policy.writes_host_folder);
  request_.workspace->mode = WorkspaceMode::kReadWrite;
  ASSERT_EQ(Run().status, Status::kOk);
  EXPECT_TRUE(launched_->policy.writes_host_folder);
  request_.workspace.reset();
  request_.mounts = {{link, "/data", true}};
  ASSERT_EQ(Run().status, Status::kOk);
  EXPECT_EQ(launched_->mounts.front().host_path, real);
  EXPECT_TRUE(launched_->policy.shares_host_folder);
  EXPECT_TRUE(launched_->policy.writes_host_folder);
  std::filesystem::remove(link);
}

TEST_F(EngineTest, ChecksTheResultAgainstItsSchema) {
  request_.result_schema = R"({"properties":{"n":{"type":"integer"}}})";
  EXPECT_EQ(Run({.result_bytes = Resulting(R"({"n":1})")}).status, Status::kOk);
  events_.words.clear();
  ExecutionResult result = Run({.result_bytes = Resulting(R"({"n":"x"})")});
  EXPECT_EQ(result.status, Status::kResultInvalid);
  EXPECT_FALSE(result.result);
  EXPECT_THAT(result.error->message, HasSubstr("/n"));
  EXPECT_THAT(events_.words,
              ElementsAre("started", "error:casemate.result_invalid", "finished:result_invalid"));
  result = Run({.result_bytes = Started()});
  EXPECT_EQ(result.status, Status::kResultInvalid);
  EXPECT_THAT(result.error->message, HasSubstr("no `result`"));
}

TEST_F(EngineTest, TakesNothingFromAForgedChannel) {
  for (const std::string& bytes :
       {std::string("garbage, no frames at all"), Resulting("1") + Resulting("2"), Resulting("{") + Started(),
        EncodeFrame(FrameType::kResult, "1"), Started() + EncodeFrame(FrameType::kGo, "")}) {
    const ExecutionResult result = Run({.result_bytes = bytes});
    EXPECT_EQ(result.status, Status::kResultInvalid) << bytes;
    EXPECT_FALSE(result.result) << bytes;
    ASSERT_TRUE(result.error) << bytes;
  }
}

TEST_F(EngineTest, AResultOverItsLimitIsInvalid) {
  request_.limits = {{"result_bytes_max", 10}};
  EXPECT_EQ(Run({.result_bytes = Resulting("123456789")}).status, Status::kOk);
  EXPECT_EQ(Run({.result_bytes = Resulting("\"123456789\"")}).status, Status::kResultInvalid);
  request_.limits = {{"result_depth_max", 1}};
  EXPECT_EQ(Run({.result_bytes = Resulting("[1]")}).status, Status::kOk);
  EXPECT_EQ(Run({.result_bytes = Resulting("[[1]]")}).status, Status::kResultInvalid);
}

TEST_F(EngineTest, TellsTheProgramsOwnError) {
  const std::string frame = EncodeFrame(
      FrameType::kError,
      R"({"type":"FileNotFoundError","message":"m","traceback":"t","errno":2,"filename":"/home/me/x"})");
  const ExecutionResult result = Run({.result_bytes = Started() + frame, .exit = {1, std::nullopt}});
  EXPECT_EQ(result.status, Status::kError);
  EXPECT_EQ(result.error->type, "FileNotFoundError");
  EXPECT_EQ(result.error->traceback, "t");
  ASSERT_THAT(result.denials, SizeIs(1));
  EXPECT_EQ(result.denials[0].what, "/home/me/x");
}

TEST_F(EngineTest, TellsDenialsAsTheyCome) {
  const ExecutionResult result =
      Run({.result_bytes = Started(), .denials = {{"syscall", "mount", 2, "why"}}});
  EXPECT_EQ(result.status, Status::kOk);
  EXPECT_THAT(events_.words, testing::Contains("denial:mount"));
  ASSERT_THAT(result.denials, SizeIs(1));
  EXPECT_EQ(result.denials[0].count, 2);
}

TEST_F(EngineTest, CollectsWhatTheGlobsName) {
  const std::vector<OutputFile> files = {
      {"plot.png", 3, "png", false}, {"data/out.csv", 3, "csv", false}, {"large.png", 9, "", true}};
  EXPECT_THAT(Run({.files = files}).files, IsEmpty()) << "nobody asked for files";
  request_.collect = {"*.csv", "data/**"};
  ExecutionResult result = Run({.files = files});
  ASSERT_THAT(result.files, SizeIs(1));
  EXPECT_EQ(result.files[0].name, "data/out.csv");
  EXPECT_FALSE(result.truncated.files_cut);
  request_.collect = {"*.png"};
  result = Run({.files = files});
  EXPECT_THAT(result.files, SizeIs(2));
  EXPECT_TRUE(result.truncated.files_cut);
}

TEST_F(EngineTest, CancelsARun) {
  const UniqueFd cancel(eventfd(1, EFD_CLOEXEC));
  cancel_fd_ = cancel.get();
  const ExecutionResult result = Run({.runs_for_ever = true});
  EXPECT_EQ(result.status, Status::kCancelled);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.error->type, "casemate.cancelled");
}

TEST_F(EngineTest, EndsARunAtItsDeadline) {
  request_.limits = {{"wall_time_ms", 50}};
  const ExecutionResult result = Run({.runs_for_ever = true});
  EXPECT_EQ(result.status, Status::kTimeout);
  EXPECT_EQ(result.error->type, "casemate.timeout");
  EXPECT_THAT(result.error->message, HasSubstr("0.05 s"));
}

TEST_F(EngineTest, RunsNothingThatIsNotAdmitted) {
  admit_error_ = Error{ErrorCode::kUnavailable, "memory cannot be guaranteed here", ""};
  const ExecutionResult result = Run();
  EXPECT_EQ(result.status, Status::kUnavailable);
  EXPECT_THAT(result.error->message, HasSubstr("memory cannot"));
  EXPECT_FALSE(launched_);
  EXPECT_THAT(events_.words, ElementsAre("error:casemate.unavailable", "finished:unavailable"));
}

TEST_F(EngineTest, RunsNoWeakerTierThanAsked) {
  request_.require = Tier::kMicrovm;
  EXPECT_EQ(Run().status, Status::kUnavailable);
  EXPECT_FALSE(launched_);
}

TEST_F(EngineTest, TellsALaunchThatFailedByWhoseFaultItIs) {
  launch_error_ = Error{ErrorCode::kInvalidRequest, "cannot mount there", ""};
  EXPECT_EQ(Run().status, Status::kRejected);
  launch_error_ = Error{ErrorCode::kUnavailable, "no ids left", ""};
  EXPECT_EQ(Run().status, Status::kUnavailable);
  launch_error_ = Error{ErrorCode::kInternal, "clone3 failed", "EAGAIN"};
  const ExecutionResult result = Run();
  EXPECT_EQ(result.status, Status::kFailed);
  EXPECT_EQ(result.error->message, "clone3 failed (EAGAIN)");
  EXPECT_THAT(events_.words, testing::Not(testing::Contains("started")));
}

TEST_F(EngineTest, TakesAWeakerTierThatWasAcceptedAndSaysWhy) {
  launch_error_ = Error{ErrorCode::kUnavailable, "no namespaces", "EPERM"};
  ExecutionResult refused = RunInOneOfTwo();
  EXPECT_EQ(refused.status, Status::kUnavailable);
  EXPECT_THAT(refused.error->message, HasSubstr("--require process"));
  request_.require = Tier::kProcess;
  const ExecutionResult result = RunInOneOfTwo();
  EXPECT_EQ(result.isolation.tier, Tier::kProcess);
  ASSERT_THAT(result.isolation.passed_over, SizeIs(1));
  EXPECT_THAT(result.isolation.passed_over[0].reason, HasSubstr("no namespaces"));
  // A fault of the request is one in every tier.
  launch_error_ = Error{ErrorCode::kInvalidRequest, "cannot mount there", ""};
  EXPECT_EQ(RunInOneOfTwo().status, Status::kRejected);
}

TEST_F(EngineTest, EachRunHasAnIdOfItsOwnAndNeedsNoSink) {
  EngineParts parts;
  parts.backends.push_back(std::make_unique<fake::FakeBackend>(fake::Script{}));
  parts.environment = {.python = kPython, .state_dir = *state_dir_};
  parts.state_dir = *state_dir_;
  const auto engine = MakeEngineOf(std::move(parts));
  const ExecutionResult one = engine->Execute(request_);
  const ExecutionResult two = engine->Execute(request_);
  EXPECT_EQ(one.status, Status::kOk);
  EXPECT_NE(one.id, "");
  EXPECT_NE(one.id, two.id);
}

TEST_F(EngineTest, ACommandNeedsNoInterpreter) {
  auto backend = std::make_unique<fake::FakeBackend>(fake::Script{});
  const fake::FakeBackend* fake = backend.get();
  EngineParts parts;
  parts.backends.push_back(std::move(backend));
  parts.environment.python = *state_dir_ + "/no-python";
  parts.state_dir = *state_dir_;
  const auto engine = MakeEngineOf(std::move(parts));
  EXPECT_EQ(engine->Execute(request_).status, Status::kRejected);
  EXPECT_FALSE(fake->launched);
  request_.code.reset();
  request_.command = {"true"};
  EXPECT_EQ(engine->Execute(request_).status, Status::kOk);
  EXPECT_EQ(fake->launched->environment.python, "");
}

// A tier that refuses is told with its reason; one that runs and holds too little is not healthy.
TEST_F(EngineTest, DiagnosesByRunning) {
  for (const bool refuses : {false, true}) {
    auto backend = std::make_unique<fake::FakeBackend>(fake::Script{});
    if (refuses) backend->admit_error = Error{ErrorCode::kUnavailable, "no namespaces", ""};
    EngineParts parts;
    parts.backends.push_back(std::move(backend));
    parts.environment = {.python = kPython, .state_dir = *state_dir_};
    parts.state_dir = *state_dir_;
    const DoctorReport report = DiagnoseParts(std::move(parts));
    ASSERT_THAT(report.tiers, SizeIs(1));
    EXPECT_EQ(report.tiers[0].works, !refuses);
    EXPECT_EQ(report.tiers[0].why_not, refuses ? "no namespaces" : "");
    EXPECT_FALSE(report.healthy);
    EXPECT_EQ(report.python, kPython);
    EXPECT_NE(report.python_version, "");
    EXPECT_EQ(report.state_dir, *state_dir_);
    EXPECT_THAT(report.findings, testing::Not(IsEmpty()));
  }
}

}  // namespace
}  // namespace casemate
