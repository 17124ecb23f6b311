#include "confine/landlock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>

#include "base/file.h"
#include "confine/privileges.h"

namespace casemate {
namespace {

class LandlockTest : public testing::Test {
 protected:
  LandlockTest() {
    std::string name = testing::TempDir() + "/landlock-XXXXXX";
    folder_ = mkdtemp(name.data());
    inside_ = folder_ + "/inside";
    std::filesystem::create_directory(inside_);
    EXPECT_TRUE(WriteFileAtomically(folder_ + "/outside", "secret", 0666));
  }
  ~LandlockTest() override { std::filesystem::remove_all(folder_); }

  // Runs `check` in a restricted child; what it returns, or 100 when the restriction failed.
  int Restricted(int abi, const std::function<int()>& check) {
    plan_ = {abi, {inside_}, {}};
    return RestrictedByPlan(check);
  }
  int RestrictedByPlan(const std::function<int()>& check) const {
    const pid_t pid = fork();
    if (pid == 0) {
      if (SetNoNewPrivileges() != 0 || RestrictWithLandlock(plan_) != 0) _exit(100);
      _exit(check());
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static int OpenErrno(const std::string& path, int flags) {
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    close(fd);
    return 0;
  }

  LandlockPlan plan_;
  std::string folder_;
  std::string inside_;
};

// Every ABI that this kernel has: an older one is what an older kernel would get.
TEST_F(LandlockTest, WritesInsideOnly) {
  const int newest = LandlockAbi();
  if (newest == 0) GTEST_SKIP() << "this kernel has no Landlock, or it is not enabled";
  for (int abi = 1; abi <= newest; ++abi) {
    EXPECT_EQ(Restricted(abi,
                         [this] {
                           if (OpenErrno(inside_ + "/new", O_WRONLY | O_CREAT) != 0) return 1;
                           if (OpenErrno(folder_ + "/outside", O_WRONLY) != EACCES) return 2;
                           if (OpenErrno(folder_ + "/other", O_WRONLY | O_CREAT) != EACCES) return 3;
                           if (OpenErrno(folder_ + "/outside", O_RDONLY) != 0) return 4;
                           if (unlink((folder_ + "/outside").c_str()) == 0 || errno != EACCES) return 5;
                           if (OpenErrno("/dev/null", O_RDWR) != 0) return 6;
                           if (mkdir((inside_ + "/sub").c_str(), 0700) != 0) return 7;
                           if (rmdir((inside_ + "/sub").c_str()) != 0) return 8;
                           // A device is made nowhere.
                           return mknod((inside_ + "/dev").c_str(), S_IFCHR | 0600, 0x103) != 0 ? 0 : 9;
                         }),
              0)
        << "ABI " << abi;
    std::filesystem::remove(inside_ + "/new");
  }
}

TEST_F(LandlockTest, GrantsTakeThePlaceOfTheRoot) {
  const int newest = LandlockAbi();
  if (newest == 0) GTEST_SKIP() << "this kernel has no Landlock, or it is not enabled";
  std::filesystem::create_directory(folder_ + "/read");
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/read/file", "given", 0666));
  using Access = LandlockPlan::Grant::Access;
  for (int abi = 1; abi <= newest; ++abi) {
    plan_ = {abi, {inside_}, {{folder_ + "/read", Access::kRead}, {"/dev/null", Access::kDevice}}};
    EXPECT_EQ(RestrictedByPlan([this] {
                if (OpenErrno(folder_ + "/read/file", O_RDONLY) != 0) return 1;
                if (OpenErrno(folder_ + "/read/file", O_WRONLY) != EACCES) return 2;
                if (OpenErrno(folder_ + "/outside", O_RDONLY) != EACCES) return 3;
                if (OpenErrno(folder_, O_RDONLY | O_DIRECTORY) != EACCES) return 4;
                if (OpenErrno("/proc/self/status", O_RDONLY) != EACCES) return 5;
                if (OpenErrno("/dev/null", O_RDWR) != 0) return 6;
                if (OpenErrno("/dev/zero", O_RDONLY) != EACCES) return 7;
                return OpenErrno(inside_ + "/new", O_WRONLY | O_CREAT);
              }),
              0)
        << "ABI " << abi;
  }
}

TEST_F(LandlockTest, DoesNothingForAbi0) {
  EXPECT_EQ(Restricted(0, [this] { return OpenErrno(folder_ + "/other", O_WRONLY | O_CREAT); }), 0);
}

TEST_F(LandlockTest, FailsForAFolderThatIsNotThere) {
  if (LandlockAbi() == 0) GTEST_SKIP() << "this kernel has no Landlock, or it is not enabled";
  inside_ = folder_ + "/missing";
  EXPECT_EQ(Restricted(1, [] { return 0; }), 100);
}

}  // namespace
}  // namespace casemate
