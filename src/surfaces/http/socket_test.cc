#include "surfaces/http/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"

namespace casemate::http {
namespace {

using testing::HasSubstr;

class SocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/casemate-socket-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ + "/a/b/engine.sock";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static mode_t Mode(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }
  // What another process finds: 0 when it can have the socket.
  std::string OpenElsewhere() const {
    const int pipe_bytes = 4096;
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd from(ends[0]);
    UniqueFd to(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto listener = Listener::Open(path_);
      const std::string text = listener ? "opened" : listener.error().message;
      (void)!::write(to.get(), text.data(), text.size());
      ::_exit(0);  // as if killed: nothing is cleaned up
    }
    to.reset();
    ::waitpid(child, nullptr, 0);
    return ReadAll(from.get(), pipe_bytes, "pipe").value();
  }

  std::string folder_;
  std::string path_;
};

TEST_F(SocketTest, IsForItsUserAlone) {
  const auto listener = Listener::Open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(Mode(path_), 0600U);
  EXPECT_EQ(Mode(folder_ + "/a"), 0700U);
  EXPECT_EQ(Mode(folder_ + "/a/b"), 0700U);
  const auto client = Connect(path_);
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_EQ(PeerUid(client->get()), ::geteuid());
}

TEST_F(SocketTest, AFullQueueIsWaitedFor) {
  const auto listener = Listener::Open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  // Linux takes a new length for a socket that listens already.
  ASSERT_EQ(::listen(listener->fd(), 0), 0);
  const auto first = Connect(path_);
  ASSERT_TRUE(first) << first.error().message;
  std::thread accepting([&listener] {
    ::usleep(200'000);
    const UniqueFd accepted(::accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  });
  const auto second = Connect(path_);
  accepting.join();
  EXPECT_TRUE(second) << second.error().ToString();
}

TEST_F(SocketTest, OneProcessAtATimeHasIt) {
  {
    const auto listener = Listener::Open(path_);
    ASSERT_TRUE(listener);
    EXPECT_THAT(OpenElsewhere(),
                HasSubstr("(process " + std::to_string(::getpid()) + ") listens at " + path_));
    EXPECT_TRUE(Connect(path_)) << "whoever was refused has left it alone";
  }
  EXPECT_FALSE(FileExists(path_));
  EXPECT_FALSE(FileExists(path_ + ".lock"));
  EXPECT_EQ(OpenElsewhere(), "opened");
}

TEST_F(SocketTest, WhatAKilledEngineLeftIsReplaced) {
  EXPECT_EQ(OpenElsewhere(), "opened");
  EXPECT_TRUE(FileExists(path_));
  EXPECT_EQ(Connect(path_).error().code, ErrorCode::kNotFound);
  const auto listener = Listener::Open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(Connect(path_));
}

TEST_F(SocketTest, ReplacesNothingElse) {
  ASSERT_TRUE(MakeFolders(folder_ + "/a/b", 0700));
  ASSERT_TRUE(WriteFileAtomically(path_, "mine", 0600));
  const auto listener = Listener::Open(path_);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(ReadFile(path_, 10), "mine");
}

TEST_F(SocketTest, RefusesPathsThatCannotBeSockets) {
  EXPECT_THAT(Listener::Open("/tmp/" + std::string(110, 'x')).error().message,
              HasSubstr("use a shorter one"));
  EXPECT_FALSE(Listener::Open(""));
  EXPECT_FALSE(Connect(""));
  EXPECT_EQ(Connect(folder_ + "/none").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace casemate::http
