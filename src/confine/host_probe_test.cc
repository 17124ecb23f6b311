#include "confine/host_probe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include "base/file.h"
#include "confine/init_binary.h"
#include "confine/launch_step.h"

namespace casemate {
namespace {

TEST(ProbeHostTest, TellsEachMechanismOnceAndHowToGetIt) {
  const std::vector<HostFinding> findings = ProbeHost();
  std::set<std::string> mechanisms;
  for (const HostFinding& finding : findings) {
    EXPECT_TRUE(mechanisms.insert(finding.mechanism).second) << finding.mechanism;
    EXPECT_NE(finding.detail, "") << finding.mechanism;
    EXPECT_EQ(finding.remedy.empty(), finding.state == HostFinding::State::kOk)
        << finding.mechanism << ": " << finding.remedy;
  }
  EXPECT_THAT(mechanisms, testing::IsSupersetOf({"kernel", "namespaces", "user ids", "cgroup memory",
                                                 "cgroup pids", "seccomp", "Landlock", "open files"}));
}

TEST(ProbeHostTest, LeavesNoChild) {
  ProbeHost();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(LaunchStepTest, EveryStepHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (auto step = static_cast<int>(LaunchStep::kNone); step <= static_cast<int>(LaunchStep::kTerminal);
       ++step) {
    const std::string_view name = LaunchStepName(static_cast<LaunchStep>(step));
    EXPECT_NE(name, "") << step;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(LaunchStepName(static_cast<LaunchStep>(static_cast<int>(LaunchStep::kTerminal) + 1)), "");
  EXPECT_EQ(LaunchStepName(static_cast<LaunchStep>(-1)), "");
}

TEST(InitBinaryTest, IsASealedExecutable) {
  const auto fd = OpenInitBinary();
  ASSERT_TRUE(fd) << fd.error().message;
  std::string magic(4, '\0');
  ASSERT_EQ(pread(fd->get(), magic.data(), magic.size(), 0), 4);
  EXPECT_EQ(magic, "\177ELF");
  // Nobody changes it any more, its owner included.
  EXPECT_EQ(pwrite(fd->get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(fcntl(fd->get(), F_ADD_SEALS, 0), -1);
  EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace casemate
