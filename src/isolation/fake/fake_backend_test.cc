#include "isolation/fake/fake_backend.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace casemate::fake {
namespace {

bool WaitFor(int fd, short events, int timeout_ms = 10'000) {
  pollfd entry{fd, events, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

// Reads a channel to its end.
std::string ReadToEnd(const Sandbox& sandbox, Channel channel) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (WaitFor(sandbox.ChannelFd(channel), POLLIN)) {
    const ssize_t count = read(sandbox.ChannelFd(channel), buffer.data(), buffer.size());
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

TEST(FakeBackendTest, PlaysItsScriptAfterTheRequest) {
  FakeBackend backend({.stdout_text = "out", .stderr_text = "err", .result_bytes = "res", .exit = {3, {}}});
  LaunchSpec spec;
  spec.argv = {"program"};
  const auto sandbox = std::move(*backend.Launch(spec));
  EXPECT_EQ(backend.launched->argv, spec.argv);
  EXPECT_FALSE(WaitFor(sandbox->ChannelFd(Channel::kStdout), POLLIN, 20))
      << "it did not wait for its request";
  ASSERT_EQ(write(sandbox->ChannelFd(Channel::kRequest), "go", 2), 2);
  sandbox->CloseChannel(Channel::kRequest);
  EXPECT_EQ(ReadToEnd(*sandbox, Channel::kStdout), "out");
  EXPECT_EQ(ReadToEnd(*sandbox, Channel::kStderr), "err");
  EXPECT_EQ(ReadToEnd(*sandbox, Channel::kResult), "res");
  ASSERT_TRUE(WaitFor(sandbox->exit_fd(), POLLIN));
  EXPECT_EQ(sandbox->Exit().exit_code, 3);
  EXPECT_EQ(*backend.request_seen, "go");
}

TEST(FakeBackendTest, RunsUntilItIsKilled) {
  FakeBackend backend({.reads_request = false, .runs_for_ever = true});
  const auto sandbox = std::move(*backend.Launch({}));
  EXPECT_FALSE(WaitFor(sandbox->exit_fd(), POLLIN, 20));
  sandbox->Kill();
  ASSERT_TRUE(WaitFor(sandbox->exit_fd(), POLLIN));
  EXPECT_EQ(sandbox->Exit().signal, SIGKILL);
}

TEST(FakeBackendTest, HasNoStdinUnlessAsked) {
  FakeBackend backend({.reads_request = false});
  EXPECT_EQ(std::move(*backend.Launch({}))->ChannelFd(Channel::kStdin), -1);
}

TEST(FakeBackendTest, GivesTheErrorsItWasGiven) {
  FakeBackend backend({}, Tier::kMicrovm);
  EXPECT_EQ(backend.tier(), Tier::kMicrovm);
  EXPECT_EQ(backend.Admit({})->tier, Tier::kMicrovm);
  EXPECT_FALSE(backend.Admit({})->not_enforced.empty()) << "a fake must not claim to hold anything";
  backend.admit_error = Error{ErrorCode::kUnavailable, "no", ""};
  backend.launch_error = Error{ErrorCode::kInternal, "broken", ""};
  EXPECT_EQ(backend.Admit({}).error().message, "no");
  EXPECT_EQ(backend.Launch({}).error().message, "broken");
  EXPECT_FALSE(backend.launched);
}

TEST(FakeBackendTest, TellsDenialsOnceAndCollectsWantedFiles) {
  FakeBackend backend({.reads_request = false,
                       .denials = {{"syscall", "mount", 1, ""}},
                       .denials_fatal = true,
                       .files = {{"a", 1, "x", false}, {"b", 1, "y", false}}});
  const auto sandbox = std::move(*backend.Launch({}));
  EXPECT_TRUE(WaitFor(sandbox->denial_fd(), POLLIN));
  EXPECT_TRUE(sandbox->TakeRefusals().fatal);
  EXPECT_EQ(sandbox->denial_fd(), -1);
  const auto files = sandbox->CollectFiles([](std::string_view name) { return name == "b"; }, 10);
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 1U);
  EXPECT_EQ(files->front().bytes, "y");
}

}  // namespace
}  // namespace casemate::fake
