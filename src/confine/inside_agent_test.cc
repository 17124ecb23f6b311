#include "confine/inside_agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "confine/id_pool.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// A process that sleeps in a user namespace with ids of its own, and a folder with a file of each of us.
class InsideAgentTest : public testing::Test {
 protected:
  void SetUp() override {
    source_ = FindIdSource();
    if (source_.kind != IdSource::Kind::kDirect) GTEST_SKIP() << "gives files to other ids";
    std::filesystem::create_directories(folder_);
    auto lease = LeaseIds(source_, folder_);
    ASSERT_TRUE(lease) << lease.error().message;
    lease_ = *std::move(lease);
    clone_args args{};
    args.flags = CLONE_NEWUSER;
    args.exit_signal = SIGCHLD;
    child_ = Clone3(args);
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
      for (;;) pause();
    }
    const auto mapped = WriteIdMaps(child_, source_, lease_);
    ASSERT_TRUE(mapped) << mapped.error().message;
    auto space = OpenFile(fmt::format("/proc/{}/ns/user", child_), O_RDONLY);
    ASSERT_TRUE(space);
    namespace_ = *std::move(space);
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    for (const char* name : {"theirs", "ours"}) {
      ASSERT_TRUE(WriteFileAtomically(Path(name), name, 0400));
    }
    ASSERT_EQ(chown(Path("theirs").c_str(), lease_.base(), lease_.base()), 0);
    std::filesystem::create_symlink("theirs", Path("link"));
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  InsideOf inside() const { return {namespace_.get(), true}; }

  const std::string folder_ = testing::TempDir() + "/casemate-inside-" + std::to_string(getpid());
  IdSource source_;
  IdLease lease_;
  pid_t child_ = -1;
  UniqueFd namespace_;
};

TEST_F(InsideAgentTest, OpensWithTheRightsOfThatNamespacesRoot) {
  const UniqueFd file = OpenInside(inside(), folder_, "theirs", O_WRONLY);
  ASSERT_TRUE(file.valid());
  EXPECT_EQ(write(file.get(), "seen", 4), 4);
  EXPECT_EQ(ReadFile(Path("theirs"), 100).value_or(""), "seenrs");
  EXPECT_FALSE(OpenInside(inside(), folder_, "ours", O_RDONLY).valid()) << "root's own, of the host";
  EXPECT_FALSE(OpenInside(inside(), folder_, "link", O_RDONLY).valid());
  EXPECT_FALSE(OpenInside(inside(), folder_, "missing", O_RDONLY).valid());
}

TEST_F(InsideAgentTest, FindsAFileByItsLink) {
  const UniqueFd memory(memfd_create("inside-agent-test", MFD_CLOEXEC));
  ASSERT_TRUE(memory.valid());
  const std::array<pid_t, 2> processes{child_, getpid()};
  const UniqueFd found = FindOpenFile({}, processes, "/memfd:inside-agent-test");
  struct stat a {};
  struct stat b {};
  ASSERT_EQ(fstat(memory.get(), &a), 0);
  ASSERT_EQ(fstat(found.get(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_FALSE(FindOpenFile(inside(), processes, "/memfd:inside-agent-test").valid())
      << "it may not look at us";
  EXPECT_FALSE(FindOpenFile({}, processes, "/memfd:another").valid());
}

}  // namespace
}  // namespace casemate
