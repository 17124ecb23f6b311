// A caller's folder on its way in (workspace_copy.h) and files on their way out (file_agent.h).
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>

#include "base/file.h"
#include "confine/file_agent.h"
#include "confine/workspace_copy.h"

namespace casemate {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class WorkspaceFilesTest : public testing::Test {
 protected:
  WorkspaceFilesTest() {
    std::string name = testing::TempDir() + "/workspace-XXXXXX";
    folder_ = mkdtemp(name.data());
    chmod(folder_.c_str(), 0755);
    fs::create_directory(folder_ + "/from");
    fs::create_directory(folder_ + "/to");
  }
  ~WorkspaceFilesTest() override { fs::remove_all(folder_); }

  std::string From(const std::string& name) const { return folder_ + "/from/" + name; }
  std::string To(const std::string& name) const { return folder_ + "/to/" + name; }
  static void Write(const std::string& path, const std::string& bytes, mode_t mode = 0644) {
    ASSERT_TRUE(WriteFileAtomically(path, bytes, mode));
  }
  // Copies "from" into "to".
  Expected<void> Copy(const Limits& limits = {}) const {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    UniqueFd ours(ends[0]);
    const UniqueFd root(open((folder_ + "/to").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::thread receiver([&root, end = ends[1]] {
      const UniqueFd theirs(end);
      ReceiveFiles(theirs.get(), root.get(), geteuid());
    });
    FileStreamWriter writer(ours.get());
    Expected<void> done = CopyWorkspace(folder_ + "/from", limits, writer);
    if (done) done = writer.End();
    ours.reset();
    receiver.join();
    return done;
  }

  std::string folder_;
};

TEST_F(WorkspaceFilesTest, CopiesTheTreeAsItIs) {
  fs::create_directories(From("a/b"));
  fs::create_directory(From("empty"));
  Write(From("a/b/data"), std::string(100'000, 'x'));
  Write(From("run.sh"), "#!/bin/sh\n", 0755);
  fs::create_symlink("/etc/passwd", From("a/link"));
  ASSERT_TRUE(Copy());
  EXPECT_EQ(ReadFile(To("a/b/data"), 1 << 20).value(), std::string(100'000, 'x'));
  EXPECT_TRUE(fs::is_directory(To("empty")));
  EXPECT_EQ(access(To("run.sh").c_str(), X_OK), 0);
  EXPECT_EQ(fs::read_symlink(To("a/link")), "/etc/passwd")
      << "a link stays one, and shows nothing of the host";
}

TEST_F(WorkspaceFilesTest, LeavesOutWhatIsNoFile) {
  ASSERT_EQ(mkfifo(From("pipe").c_str(), 0600), 0);
  Write(From("file"), "x");
  ASSERT_TRUE(Copy());
  EXPECT_FALSE(fs::exists(To("pipe")));
  EXPECT_TRUE(fs::exists(To("file")));
}

TEST_F(WorkspaceFilesTest, RefusesWhatDoesNotFit) {
  Write(From("large"), std::string(2000, 'x'));
  Limits limits;
  limits.tmp_bytes = 1999;
  const auto bytes = Copy(limits);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(bytes.error().message, HasSubstr("--tmp-size"));
  EXPECT_THAT(bytes.error().message, HasSubstr("large"));
  limits = {};
  limits.tmp_files_max = 2;
  Write(From("second"), "");
  EXPECT_TRUE(Copy(limits));
  Write(From("third"), "");
  const auto files = Copy(limits);
  ASSERT_FALSE(files);
  EXPECT_THAT(files.error().message, HasSubstr("more than 2 files"));
}

TEST_F(WorkspaceFilesTest, RefusesAFolderThatIsTooDeepOrMissing) {
  std::string deep = folder_ + "/from";
  for (int i = 0; i < 70; ++i) deep += "/d";
  fs::create_directories(deep);
  const auto copied = Copy();
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().message, HasSubstr("deeper"));
  fs::remove_all(folder_ + "/from");
  const auto missing = Copy();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

// The agent enters a user namespace; this one maps the caller's own id alone.
class FileAgentTest : public WorkspaceFilesTest {
 protected:
  void SetUp() override {
    std::array<int, 2> ready{};
    std::array<int, 2> go{};
    ASSERT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(go.data(), O_CLOEXEC), 0);
    keeper_ = fork();
    if (keeper_ == 0) {
      close(go[1]);
      const char answer = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
      (void)!write(ready[1], &answer, 1);
      char nothing = 0;
      (void)!read(go[0], &nothing, 1);
      _exit(0);
    }
    close(ready[1]);
    close(go[0]);
    go_.reset(go[1]);
    const UniqueFd answer(ready[0]);
    char made = 'n';
    ASSERT_EQ(read(answer.get(), &made, 1), 1);
    if (made != 'y') GTEST_SKIP() << "this user may not make a user namespace";
    space_.reset(open(("/proc/" + std::to_string(keeper_) + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
    root_.reset(open((folder_ + "/from").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~FileAgentTest() override {
    go_.reset();
    if (keeper_ > 0) waitpid(keeper_, nullptr, 0);
  }
  Expected<std::vector<OutputFile>> Collect(std::int64_t bytes_max = kMiB) const {
    return CollectFiles(
        root_.get(), space_.get(), 0, false, [](std::string_view name) { return name != "unwanted"; },
        bytes_max);
  }
  static std::vector<std::string> Names(const std::vector<OutputFile>& files) {
    std::vector<std::string> names;
    for (const OutputFile& file : files) names.push_back(file.name);
    return names;
  }

  pid_t keeper_ = -1;
  UniqueFd go_;
  UniqueFd space_;
  UniqueFd root_;
};

TEST_F(FileAgentTest, ReturnsWantedFilesByName) {
  fs::create_directories(From("z/deep"));
  Write(From("z/deep/file"), std::string("a\0b", 3));
  Write(From("b"), "bb");
  Write(From("unwanted"), "x");
  const auto files = Collect();
  ASSERT_TRUE(files) << files.error().ToString();
  ASSERT_EQ(Names(*files), (std::vector<std::string>{"b", "z/deep/file"}));
  EXPECT_EQ((*files)[1].bytes, std::string("a\0b", 3));
  EXPECT_EQ((*files)[1].size_bytes, 3);
}

TEST_F(FileAgentTest, OpensNoLinkAndNoPipe) {
  fs::create_symlink("/etc/passwd", From("link"));
  fs::create_directory_symlink("/etc", From("folder"));
  ASSERT_EQ(mkfifo(From("pipe").c_str(), 0666), 0);
  Write(From("file"), "x");
  const auto files = Collect();
  ASSERT_TRUE(files) << files.error().ToString();
  EXPECT_EQ(Names(*files), std::vector<std::string>{"file"});
}

TEST_F(FileAgentTest, ListsWhatIsTooLargeWithoutItsContent) {
  Write(From("a"), std::string(60, 'a'));
  Write(From("b"), std::string(60, 'b'));
  const auto files = Collect(100);
  ASSERT_TRUE(files) << files.error().ToString();
  ASSERT_EQ(files->size(), 2U);
  std::size_t bytes = 0;
  int truncated = 0;
  for (const OutputFile& file : *files) {
    EXPECT_EQ(file.size_bytes, 60);
    EXPECT_EQ(file.truncated, file.bytes.empty());
    bytes += file.bytes.size();
    truncated += file.truncated ? 1 : 0;
  }
  EXPECT_EQ(bytes, 60U);
  EXPECT_EQ(truncated, 1);
}

TEST_F(FileAgentTest, MakesNamesText) {
  Write(From("bad\xff"), "x");
  const auto files = Collect();
  ASSERT_TRUE(files) << files.error().ToString();
  EXPECT_EQ(Names(*files), std::vector<std::string>{"bad\xEF\xBF\xBD"});
}

// The agent has lost every right to look over the engine's files.
TEST_F(FileAgentTest, ReadsNothingThatIsClosedToIt) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a file of another user";
  Write(From("closed"), "secret", 0600);
  ASSERT_EQ(chown(From("closed").c_str(), 54321, 54321), 0);
  // The namespace knows that user: a capability in it would open his file.
  for (const char* file : {"/uid_map", "/gid_map"}) {
    const UniqueFd map(open(("/proc/" + std::to_string(keeper_) + file).c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(WriteAll(map.get(), "0 0 1\n54321 54321 1\n", file));
  }
  const auto files = Collect();
  ASSERT_TRUE(files) << files.error().ToString();
  EXPECT_TRUE(files->empty());
}

TEST_F(FileAgentTest, FailsInANamespaceThatIsNone) {
  const UniqueFd none(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto files = CollectFiles(
      root_.get(), none.get(), 0, false, [](std::string_view) { return true; }, kMiB);
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace casemate
