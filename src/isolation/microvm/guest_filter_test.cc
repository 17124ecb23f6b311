#include "isolation/microvm/guest_filter.h"

#include <gtest/gtest.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "confine/seccomp_evaluate.h"
#include "confine/seccomp_filter.h"

namespace casemate::microvm {
namespace {

std::uint32_t Answer(long nr) {
  const SeccompTables& tables = ContainerSeccompTables();
  const std::vector<sock_filter> filter = GuestFilter(tables);
  seccomp_data call{};
  call.nr = static_cast<int>(nr);
  call.arch = tables.audit_architecture;
  return EvaluateSeccomp(filter, call).value_or(SECCOMP_RET_KILL_PROCESS);
}

TEST(GuestFilterTest, AllowsWhatTheContainerTierAllows) {
  EXPECT_EQ(Answer(SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer(SYS_openat), SECCOMP_RET_ALLOW);
}

TEST(GuestFilterTest, AnswersByItselfWhatAListenerWouldAnswer) {
  const SeccompTables& tables = ContainerSeccompTables();
  const std::vector<sock_filter> filter = GuestFilter(tables);
  EXPECT_TRUE(std::ranges::none_of(filter, [](const sock_filter& word) {
    return word.code == (BPF_RET | BPF_K) && word.k == SECCOMP_RET_USER_NOTIF;
  }));
  for (const long nr : {SYS_mount, SYS_bpf, SYS_ptrace, SYS_reboot}) {
    const auto family = tables.families[tables.family_of[static_cast<std::size_t>(nr)]];
    EXPECT_EQ(Answer(nr), SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(family.answer)) << nr;
  }
}

TEST(GuestFilterTest, KeepsTheAnswersThatTheProgramHas) {
  // A C library falls back to clone(2).
  EXPECT_EQ(Answer(SYS_clone3), SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(ENOSYS));
}

TEST(GuestFilterTest, FitsIntoTheKernel) {
  constexpr std::size_t kInstructionsMax = 4096;
  EXPECT_LE(GuestFilter(ContainerSeccompTables()).size(), kInstructionsMax);
}

}  // namespace
}  // namespace casemate::microvm
