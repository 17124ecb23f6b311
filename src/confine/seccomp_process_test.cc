// The process tier's filter: narrower than the container's, and never wider.
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <random>
#include <string>

#include "confine/seccomp_evaluate.h"
#include "confine/seccomp_filter.h"
#include "confine/seccomp_notify.h"

namespace casemate {
namespace {

std::uint32_t ActionOf(const SeccompTables& tables, const seccomp_data& data) {
  const auto action = EvaluateSeccomp(tables.program, data);
  EXPECT_TRUE(action) << action.error();
  return action.value_or(0) & SECCOMP_RET_ACTION_FULL;
}

seccomp_data Call(int nr, std::uint64_t first = 0, std::uint64_t second = 0, std::uint64_t third = 0) {
  seccomp_data data{};
  data.nr = nr;
  data.arch = ProcessSeccompTables().audit_architecture;
  data.args[0] = first;
  data.args[1] = second;
  data.args[2] = third;
  return data;
}

TEST(SeccompProcessTest, NeverAllowsMoreThanTheContainersFilter) {
  std::mt19937_64 random(8);  // NOLINT(bugprone-random-generator-seed): the same calls each time
  const std::uint64_t values[] = {0, 1, 2, 3, 4, 5, 10, 16, 0x541b, 0x8912, 0x80000, 0xffffffff, 1ULL << 40};
  for (int nr = 0; nr < 500; ++nr) {
    for (int attempt = 0; attempt < 200; ++attempt) {
      seccomp_data data = Call(nr);
      for (auto& argument : data.args) argument = values[random() % std::size(values)];
      if (ActionOf(ProcessSeccompTables(), data) != SECCOMP_RET_ALLOW) continue;
      EXPECT_EQ(ActionOf(ContainerSeccompTables(), data), SECCOMP_RET_ALLOW) << SyscallName(nr);
    }
  }
}

TEST(SeccompProcessTest, RefusesWhatOnlyANamespaceMakesHarmless) {
  for (const int nr : {SYS_connect, SYS_bind, SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open, SYS_fchmodat,
                       SYS_fchownat, SYS_setxattr, SYS_truncate, SYS_utimensat}) {
    EXPECT_EQ(ActionOf(ContainerSeccompTables(), Call(nr)), SECCOMP_RET_ALLOW) << SyscallName(nr);
    EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(nr)), SECCOMP_RET_USER_NOTIF) << SyscallName(nr);
  }
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_PACKET, AF_VSOCK}) {
    EXPECT_EQ(
        ActionOf(ProcessSeccompTables(), Call(SYS_socket, static_cast<std::uint64_t>(family), SOCK_STREAM)),
        SECCOMP_RET_USER_NOTIF);
  }
  // Interfaces can be asked for over any socket.
  EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(SYS_ioctl, 3, 0x8912)), SECCOMP_RET_USER_NOTIF);
}

TEST(SeccompProcessTest, LetsThroughWhatIsTheProgramsOwn) {
  EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)),
            SECCOMP_RET_ALLOW);
  EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(SYS_socketpair, AF_UNIX, SOCK_DGRAM)),
            SECCOMP_RET_USER_NOTIF);
  for (const int nr : {SYS_sched_setaffinity, SYS_prlimit64}) {
    EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(nr, 0)), SECCOMP_RET_ALLOW) << SyscallName(nr);
    EXPECT_EQ(ActionOf(ProcessSeccompTables(), Call(nr, 4711)), SECCOMP_RET_USER_NOTIF) << SyscallName(nr);
  }
}

TEST(SeccompProcessTest, TellsItsOwnReasons) {
  EXPECT_NE(ExplainSyscallRefusal(SYS_connect, ProcessSeccompTables()).reason.find("network namespace"),
            std::string::npos);
  // What both refuse has the container's words.
  EXPECT_EQ(ExplainSyscallRefusal(SYS_mount, ProcessSeccompTables()).reason,
            ExplainSyscallRefusal(SYS_mount).reason);
  EXPECT_EQ(DescribeSyscall(Call(SYS_socket, AF_INET), ProcessSeccompTables()), "socket AF_INET");
  // No call is let through by the supervisor here.
  EXPECT_EQ(ProcessSeccompTables().connect_number, -1);
  EXPECT_EQ(ProcessSeccompTables().socket_number, -1);
}

}  // namespace
}  // namespace casemate
