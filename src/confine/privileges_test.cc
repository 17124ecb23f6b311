#include "confine/privileges.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace casemate {
namespace {

constexpr uid_t kSomeone = 54321;

// Dropping cannot be undone, so each check has a process of its own. The step that failed, or 0.
int InChild(const std::function<int()>& check) {
  const pid_t pid = fork();
  if (pid == 0) _exit(check());
  int status = -1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class PrivilegesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root has privileges to drop";
  }
};

TEST_F(PrivilegesTest, AreGoneAfterAllSteps) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the sanitizer's own thread in the child keeps it from taking ids";
#endif
  EXPECT_EQ(InChild([] {
              if (DropBoundingSet() != 0) return 1;
              if (TakeIds(kSomeone, true) != 0) return 2;
              if (DropCapabilities() != 0) return 3;
              if (SetNoNewPrivileges() != 0) return 4;
              if (VerifyPrivilegesGone(kSomeone, kSomeone) != 0) return 5;
              if (VerifyPrivilegesGone(kSomeone + 1, kSomeone + 1) != -EPERM) return 6;
              if (setresuid(0, 0, 0) == 0) return 7;
              return getgroups(0, nullptr) == 0 ? 0 : 8;
            }),
            0);
}

TEST_F(PrivilegesTest, AreSeenWhenTheyAreAllStillThere) {
  EXPECT_EQ(VerifyPrivilegesGone(0, 0), -EPERM);
  EXPECT_EQ(VerifyPrivilegesGone(kSomeone, kSomeone), -EPERM);
}

// Leaving out any one step is seen. A bit of `steps` for each.
// NOLINTNEXTLINE(misc-multiple-inheritance): GoogleTest's way to a fixture with parameters
class PrivilegesStepTest : public PrivilegesTest, public testing::WithParamInterface<unsigned> {};

TEST_P(PrivilegesStepTest, IsMissed) {
  const unsigned left_out = GetParam();
  EXPECT_EQ(
      InChild([left_out] {
        if (left_out != 0 && DropBoundingSet() != 0) return 1;
        // Without new ids the capabilities go all the same, and only the ids tell.
        if (left_out != 1 && TakeIds(kSomeone, true) != 0) return 2;
        if (DropCapabilities() != 0) return 3;
        if (left_out != 2 && SetNoNewPrivileges() != 0) return 4;
        return VerifyPrivilegesGone(left_out == 1 ? 0 : kSomeone, left_out == 1 ? 0 : kSomeone) == -EPERM ? 0
                                                                                                          : 5;
      }),
      0);
}

INSTANTIATE_TEST_SUITE_P(EachStep, PrivilegesStepTest, testing::Values(0U, 1U, 2U));

}  // namespace
}  // namespace casemate
