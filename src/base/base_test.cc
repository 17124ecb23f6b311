#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/clock.h"
#include "base/command.h"
#include "base/descriptor_message.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/unique_fd.h"
#include "base/user.h"
#include "base/utf8.h"

namespace casemate {
namespace {

using testing::HasSubstr;

TEST(ErrnoTest, NamesTheErrorAndTheCall) {
  const Error error = FailErrno(ErrorCode::kInternal, "cannot do it", "mount /x", EPERM).error();
  EXPECT_EQ(error.cause, "mount /x: EPERM");
  EXPECT_EQ(ErrnoName(99999), "errno 99999");
  const auto lack = FailErrno(ErrorCode::kInternal, "cannot open x", "open x", EMFILE).error();
  EXPECT_EQ(lack.code, ErrorCode::kUnavailable);
  EXPECT_THAT(lack.message, testing::HasSubstr("raise the limit with ulimit -n"));
}

TEST(Sha256Test, MatchesThePublishedVectors) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Utf8Test, AcceptsAndRefusesByTheRfc) {
  EXPECT_TRUE(IsValidUtf8("z\u00fc\u20ac\U0001F600"));
  EXPECT_FALSE(IsValidUtf8("\xC0\xAF"));          // overlong
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(IsValidUtf8("\xF4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(IsValidUtf8("\xE2\x82"));          // cut
  EXPECT_EQ(ReplaceInvalidUtf8("a\xFF\xE2\x82z"), "a\uFFFD\uFFFD\uFFFDz");
}

TEST(FileTest, WritesAtomicallyAndReadsBack) {
  const std::string folder = testing::TempDir() + "/casemate_file_test-" + std::to_string(getpid());
  const std::string path = folder + "/a/b/file";
  ASSERT_TRUE(MakeFolders(path.substr(0, path.rfind('/')), 0700));
  ASSERT_TRUE(WriteFileAtomically(path, "first", 0600));
  ASSERT_TRUE(WriteFileAtomically(path, "second", 0600));
  EXPECT_EQ(*ReadFile(path, 100), "second");
  const auto too_long = ReadFile(path, 3);
  ASSERT_FALSE(too_long);
  EXPECT_THAT(too_long.error().message, HasSubstr("larger than 3 bytes"));
  std::filesystem::remove_all(folder);
}

TEST(FileTest, TellsWhatIsMissing) {
  const auto missing = ReadFile("/nonexistent/file", 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().cause, "open /nonexistent/file: ENOENT");
}

TEST(FileTest, ReadsKernelNumbers) {
  EXPECT_GT(ReadKernelNumber("/proc/sys/kernel/pid_max"), 0);
  EXPECT_EQ(ReadKernelNumber("/proc/version"), -1);
  EXPECT_EQ(ReadKernelNumber("/proc/none"), -1);
}

TEST(CommandTest, GivesBothStreamsAndTheExitCode) {
  const auto result = RunCommand({"/bin/sh", "-c", "cat; echo err >&2; exit 3"}, {.stdin_bytes = "hello"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "hello");
  EXPECT_EQ(result->err, "err\n");
}

TEST(CommandTest, GivesACleanEnvironment) {
  setenv("CASEMATE_TEST_LEAK", "1", 1);
  const auto result = RunCommand({"/usr/bin/env"}, {.env = {{"A", "b"}}});
  ASSERT_TRUE(result);
  EXPECT_THAT(result->out, testing::Not(HasSubstr("LEAK")));
  EXPECT_THAT(result->out, HasSubstr("A=b\n"));
}

TEST(CommandTest, KillsWhatIsTooSlowWithItsChildren) {
  const std::int64_t start = MonotonicUs();
  const auto result = RunCommand({"/bin/sh", "-c", "sleep 60 & sleep 60"}, {.timeout_ms = 100});
  ASSERT_FALSE(result);
  EXPECT_LT(MonotonicUs() - start, 10'000'000);
}

TEST(CommandTest, TellsAMissingProgram) {
  const auto result = RunCommand({"/nonexistent/program"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
}

TEST(CommandTest, IsNotThereWhereAFolderOfPathIsClosed) {
  if (geteuid() == 0) GTEST_SKIP() << "no folder is closed to root";
  char folder[] = "/tmp/casemate-path-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::getenv("PATH");
  ASSERT_EQ(chmod(folder, 0), 0);
  setenv("PATH", (std::string(folder) + ":" + path).c_str(), 1);
  const auto result = RunCommand({"casemate-no-such-program"});
  setenv("PATH", path.c_str(), 1);
  rmdir(folder);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
}

class DescriptorMessageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  static std::size_t OpenDescriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  std::array<std::byte, 4> bytes_{};
  std::size_t count_ = 9;
};

TEST_F(DescriptorMessageTest, CarriesBytesAndDescriptors) {
  const std::array sent = {std::byte{7}, std::byte{8}};
  const std::array fds = {ours_.get(), theirs_.get(), STDIN_FILENO};
  ASSERT_EQ(SendDescriptors(ours_.get(), sent, fds), 0);
  std::array<int, 4> received{};
  ASSERT_EQ(ReceiveDescriptors(theirs_.get(), bytes_, received, count_), 2);
  EXPECT_EQ(bytes_[1], std::byte{8});
  ASSERT_EQ(count_, 3U);
  for (std::size_t i = 0; i < count_; ++i) {
    EXPECT_EQ(fcntl(received[i], F_GETFD), FD_CLOEXEC);
    close(received[i]);
  }
  ASSERT_EQ(SendDescriptors(ours_.get(), sent, {}), 0);
  EXPECT_EQ(ReceiveDescriptors(theirs_.get(), bytes_, received, count_), 2);
  EXPECT_EQ(count_, 0U);
}

TEST_F(DescriptorMessageTest, KeepsNoneOfTooMany) {
  const std::array<std::byte, 1> sent{};
  const std::array fds = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
  ASSERT_EQ(SendDescriptors(ours_.get(), sent, fds), 0);
  const std::size_t before = OpenDescriptors();
  std::array<int, 2> received{};
  EXPECT_EQ(ReceiveDescriptors(theirs_.get(), bytes_, received, count_), -EMSGSIZE);
  EXPECT_EQ(count_, 0U);
  EXPECT_EQ(OpenDescriptors(), before);
  const std::vector<int> many(kDescriptorsInMessageMax + 1, STDIN_FILENO);
  EXPECT_EQ(SendDescriptors(ours_.get(), sent, many), -EMSGSIZE);
}

TEST_F(DescriptorMessageTest, TellsTheEnd) {
  std::array<int, 1> received{};
  EXPECT_EQ(ReceiveDescriptors(theirs_.get(), bytes_, received, count_, MSG_DONTWAIT), -EAGAIN);
  ours_.reset();
  EXPECT_EQ(ReceiveDescriptors(theirs_.get(), bytes_, received, count_), 0);
  EXPECT_EQ(SendDescriptors(theirs_.get(), {bytes_.data(), 1}, {}), -EPIPE);
}

TEST(UserTest, ReadsTheTableByNumber) {
  constexpr std::string_view kTable =
      "root:x:0:0:root:/root:/bin/bash\n\nbroken\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n"
      "short:x:1001\nlast:x:1002:1002::/home/last:/bin/sh";
  ASSERT_TRUE(FindUserIn(kTable, 1000));
  EXPECT_EQ(FindUserIn(kTable, 1000)->name, "ann");
  EXPECT_EQ(FindUserIn(kTable, 1000)->home, "/home/ann");
  EXPECT_EQ(FindUserIn(kTable, 1002)->home, "/home/last");
  EXPECT_EQ(FindUserIn(kTable, 1001)->home, "");
  EXPECT_FALSE(FindUserIn(kTable, 100));
  EXPECT_FALSE(FindUserIn("", 0));
}

TEST(UserTest, FindsTheSuperuserAndNoStranger) {
  const auto root = FindUser(0);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->name, "root");
  EXPECT_FALSE(FindUser(4294967294U));
}

}  // namespace
}  // namespace casemate
