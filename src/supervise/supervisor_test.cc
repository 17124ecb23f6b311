#include "supervise/supervisor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "isolation/fake/fake_backend.h"
#include "supervise/verdict.h"

namespace casemate {
namespace {

class Recorder : public RunObserver {
 public:
  void OnStdout(std::string_view text) override { out += text; }
  void OnStderr(std::string_view text) override { err += text; }
  void OnResultBytes(std::string_view bytes) override { result += bytes; }
  void OnDenial(const Denial& denial) override { denials.push_back(denial.what); }
  std::optional<int> exit_code_told() const override { return exit_code; }
  std::string out;
  std::string err;
  std::string result;
  std::vector<std::string> denials;
  std::optional<int> exit_code;
};

class SupervisorTest : public testing::Test {
 protected:
  Outcome Run(fake::Script script, RunInput input = {}) {
    fake::FakeBackend backend(std::move(script));
    LaunchSpec spec;
    spec.stdin_pipe = !input.stdin_bytes.empty() || input.stdin_fd >= 0;
    auto sandbox = backend.Launch(spec);
    request_seen = backend.request_seen;
    return Supervise(**sandbox, limits, input, recorder);
  }

  Limits limits;
  Recorder recorder;
  std::shared_ptr<std::string> request_seen;
};

TEST_F(SupervisorTest, MovesEveryChannelToItsEnd) {
  const std::string request(300'000, 'q');  // more than a pipe holds
  const Outcome outcome = Run({.stdout_text = std::string(200'000, 'o'),
                               .stderr_text = "e",
                               .result_bytes = std::string(500'000, 'r')},
                              {.request_bytes = request});
  EXPECT_EQ(outcome.status, Status::kOk);
  EXPECT_EQ(outcome.stdout_text, std::string(200'000, 'o'));
  EXPECT_EQ(recorder.out, outcome.stdout_text);
  EXPECT_EQ(recorder.err, "e");
  EXPECT_EQ(recorder.result.size(), 500'000U);
  EXPECT_EQ(*request_seen, request);
  EXPECT_FALSE(outcome.truncated.stdout_cut);
}

TEST_F(SupervisorTest, KeepsTheFirstPartOfAFloodAndEndsTheRun) {
  limits.stdout_bytes_max = 1000;
  const Outcome outcome = Run({.stdout_text = std::string(5'000'000, 'x'), .runs_for_ever = true});
  EXPECT_EQ(outcome.status, Status::kOutputLimit);
  EXPECT_EQ(outcome.stdout_text, std::string(1000, 'x'));
  EXPECT_EQ(recorder.out.size(), 1000U);
  EXPECT_TRUE(outcome.truncated.stdout_cut);
  EXPECT_GT(outcome.usage.stdout_bytes, 1000);
}

TEST_F(SupervisorTest, OutputOfExactlyTheLimitIsNoFlood) {
  limits.stdout_bytes_max = 1000;
  const Outcome outcome = Run({.stdout_text = std::string(1000, 'x')});
  EXPECT_EQ(outcome.status, Status::kOk);
  EXPECT_FALSE(outcome.truncated.stdout_cut);
}

TEST_F(SupervisorTest, EndsAtTheDeadline) {
  limits.wall_time_ms = 100;
  const std::int64_t start = MonotonicUs();
  const Outcome outcome = Run({.stdout_text = "before", .runs_for_ever = true});
  EXPECT_EQ(outcome.status, Status::kTimeout);
  EXPECT_EQ(outcome.stdout_text, "before");
  EXPECT_GE(MonotonicUs() - start, 100'000);
  EXPECT_LT(MonotonicUs() - start, 5'000'000);
}

TEST_F(SupervisorTest, EndsWhenCancelled) {
  const UniqueFd cancel(eventfd(1, EFD_CLOEXEC));
  EXPECT_EQ(Run({.runs_for_ever = true}, {.cancel_fd = cancel.get()}).status, Status::kCancelled);
}

TEST_F(SupervisorTest, EndsWhenAPeerHangsUpAndNotWhenItSends) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd ours(ends[0]);
  UniqueFd peer(ends[1]);
  ASSERT_EQ(write(peer.get(), "next", 4), 4);
  const RunInput input{.cancel_fd = ours.get(), .cancel_on_hang_up = true};
  EXPECT_EQ(Run({.stdout_text = "out"}, input).status, Status::kOk);
  peer.reset();
  EXPECT_EQ(Run({.runs_for_ever = true}, input).status, Status::kCancelled);
}

TEST_F(SupervisorTest, EndsWhenAPeerStopsSending) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd peer(ends[1]);
  shutdown(peer.get(), SHUT_WR);
  EXPECT_EQ(Run({.runs_for_ever = true}, {.cancel_fd = ours.get(), .cancel_on_hang_up = true}).status,
            Status::kCancelled);
}

TEST_F(SupervisorTest, FeedsBytesAndThenADescriptor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  ASSERT_EQ(write(write_end.get(), "world", 5), 5);
  write_end.reset();
  const Outcome outcome = Run({.echoes_stdin = true}, {.stdin_bytes = "hello ", .stdin_fd = read_end.get()});
  EXPECT_EQ(outcome.stdout_text, "hello world");
}

TEST_F(SupervisorTest, SurvivesAProgramThatNeverReads) {
  const std::string request(1'000'000, 'q');
  const Outcome outcome = Run({.stdout_text = "x", .reads_request = false}, {.request_bytes = request});
  EXPECT_EQ(outcome.status, Status::kOk);
  EXPECT_EQ(outcome.stdout_text, "x");
}

TEST_F(SupervisorTest, EndsTheRunByTheKernelsCounters) {
  ResourceReading killed;
  killed.memory_kills = 1;
  EXPECT_EQ(Run({.runs_for_ever = true, .reading = killed}).status, Status::kMemoryLimit);
  ResourceReading busy;
  busy.cpu_time_us = 3'600'000'000;
  EXPECT_EQ(Run({.runs_for_ever = true, .reading = busy}).status, Status::kCpuLimit);
  ResourceReading bomb;
  bomb.process_refusals = 5000;
  EXPECT_EQ(Run({.runs_for_ever = true, .reading = bomb}).status, Status::kProcessLimit);
}

// Where nothing but samples counts, the kernel ends nobody: what a step has left in memory is seen at its
// end.
TEST_F(SupervisorTest, EndsAStepThatLeavesMoreThanTheMemoryLimit) {
  ResourceReading over;
  over.memory_over = true;
  recorder.exit_code = 0;
  EXPECT_EQ(Run({.result_bytes = "end", .reading = over}, {.step = true}).status, Status::kMemoryLimit);
  recorder.exit_code = 0;
  EXPECT_EQ(Run({.result_bytes = "end"}, {.step = true}).status, Status::kOk);
}

// Bytes that somebody carries may come after the program's word, and what it used is told at its end.
TEST_F(SupervisorTest, BelievesAProgramsEndOnlyWhereItWritesItself) {
  recorder.exit_code = 0;
  const fake::Script script{.result_bytes = "end", .exit = {.exit_code = 3}};
  EXPECT_EQ(Run(script).exit.exit_code, 0);
  fake::Script carried = script;
  carried.carried = true;
  EXPECT_EQ(Run(carried).exit.exit_code, 3);
}

TEST_F(SupervisorTest, IsAwakeOnlyForTheBeginningOfAStep) {
  limits.wall_time_ms = 1000;
  const std::int64_t before_us = ThreadCpuUs();
  EXPECT_EQ(Run({.runs_for_ever = true}, {.step = true}).status, Status::kTimeout);
  EXPECT_LT(ThreadCpuUs() - before_us, 300'000);
}

TEST_F(SupervisorTest, AddsUpDenialsAndTellsEachOnce) {
  const Outcome outcome =
      Run({.denials = {{"syscall", "mount", 2, ""}, {"syscall", "bpf", 1, ""}, {"syscall", "mount", 3, ""}}});
  ASSERT_EQ(outcome.denials.size(), 2U);
  EXPECT_EQ(outcome.denials[0].count, 5);
  EXPECT_EQ(recorder.denials, (std::vector<std::string>{"mount", "bpf"}));
}

TEST_F(SupervisorTest, EndsARunThatHammersOnTheFilter) {
  const Outcome outcome =
      Run({.runs_for_ever = true, .denials = {{"syscall", "mount", 5000, ""}}, .denials_fatal = true});
  EXPECT_EQ(outcome.status, Status::kDenied);
}

struct VerdictCase {
  const char* name;
  Evidence evidence;
  Status status;
};

class VerdictTest : public testing::TestWithParam<VerdictCase> {};

TEST_P(VerdictTest, Decides) { EXPECT_EQ(Decide(GetParam().evidence, Limits{}), GetParam().status); }

ResourceReading MemoryKill() {
  ResourceReading reading;
  reading.memory_kills = 1;
  return reading;
}
ResourceReading ForkRefused() {
  ResourceReading reading;
  reading.process_refusals = 1;
  return reading;
}
ResourceReading Busy() {
  ResourceReading reading;
  reading.cpu_time_us = 3'600'000'000;
  return reading;
}
ResourceReading TmpFull() {
  ResourceReading reading;
  reading.tmp_full = true;
  return reading;
}

INSTANTIATE_TEST_SUITE_P(
    All, VerdictTest,
    testing::Values(VerdictCase{"clean", {{}, {0, {}}, {}}, Status::kOk},
                    VerdictCase{"raised", {{}, {1, {}}, {}}, Status::kError},
                    VerdictCase{"own_137", {{}, {137, {}}, {}}, Status::kError},
                    VerdictCase{"own_124", {{}, {124, {}}, {}}, Status::kError},
                    VerdictCase{"own_sigkill", {{}, {{}, SIGKILL}, {}}, Status::kError},
                    VerdictCase{"oom", {{}, {{}, SIGKILL}, MemoryKill()}, Status::kMemoryLimit},
                    VerdictCase{"oom_of_a_child", {{}, {0, {}}, MemoryKill()}, Status::kMemoryLimit},
                    VerdictCase{"oom_before_timeout",
                                {Status::kTimeout, {{}, SIGKILL}, MemoryKill()},
                                Status::kMemoryLimit},
                    VerdictCase{"timeout", {Status::kTimeout, {{}, SIGKILL}, {}}, Status::kTimeout},
                    VerdictCase{"coped_with_fork_refusal", {{}, {0, {}}, ForkRefused()}, Status::kOk},
                    VerdictCase{"died_of_fork_refusal", {{}, {1, {}}, ForkRefused()}, Status::kProcessLimit},
                    VerdictCase{"coped_with_full_disk", {{}, {0, {}}, TmpFull()}, Status::kOk},
                    VerdictCase{"died_of_full_disk", {{}, {1, {}}, TmpFull()}, Status::kDiskLimit},
                    VerdictCase{"file_size", {{}, {{}, SIGXFSZ}, {}}, Status::kDiskLimit},
                    VerdictCase{"own_sigxcpu", {{}, {{}, SIGXCPU}, {}}, Status::kError},
                    VerdictCase{"cpu_time_used_up", {{}, {{}, SIGKILL}, Busy()}, Status::kCpuLimit},
                    VerdictCase{"init_failed", {{}, {{}, SIGKILL, true}, {}}, Status::kFailed},
                    VerdictCase{"wrong_architecture", {{}, {{}, SIGSYS}, {}}, Status::kDenied},
                    VerdictCase{"cancelled", {Status::kCancelled, {{}, SIGKILL}, {}}, Status::kCancelled}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace casemate
