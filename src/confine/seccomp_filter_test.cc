#include "confine/seccomp_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <string>
#include <vector>

#include "confine/seccomp_evaluate.h"

// The container tier's filter without a kernel: the compiled program is run on made-up calls, for both
// architectures on either.

namespace casemate {
namespace {

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kNotify = SECCOMP_RET_USER_NOTIF;
constexpr std::uint64_t kGarbage = 0xdeadbeef00000000;  // in the half that the kernel ignores

using Values = std::initializer_list<std::uint64_t>;

constexpr std::uint32_t Errno(int value) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(value); }

class ContainerFilterTest : public testing::TestWithParam<const SeccompTables* (*)()> {
 protected:
  const SeccompTables& tables() const { return *GetParam()(); }
  bool x86() const { return tables().audit_architecture == AUDIT_ARCH_X86_64; }

  int Number(const std::string& name) const {
    for (std::size_t nr = 0; nr < tables().name_offsets.size(); ++nr) {
      if (name == tables().names + tables().name_offsets[nr]) return static_cast<int>(nr);
    }
    ADD_FAILURE() << "no system call " << name;
    return -1;
  }

  std::uint32_t Raw(int nr, std::uint32_t architecture, std::array<std::uint64_t, 6> args = {}) const {
    seccomp_data data = {};
    data.nr = nr;
    data.arch = architecture;
    for (std::size_t i = 0; i < args.size(); ++i) data.args[i] = args[i];
    const auto action = EvaluateSeccomp(tables().program, data);
    if (!action) ADD_FAILURE() << action.error();
    return action.value_or(0);
  }

  std::uint32_t Do(const std::string& name, std::array<std::uint64_t, 6> args = {}) const {
    return Raw(Number(name), tables().audit_architecture, args);
  }
};

TEST_P(ContainerFilterTest, OrdinaryCallsAreAllowedWithAnyArguments) {
  for (const char* name : {"read",
                           "write",
                           "close",
                           "mmap",
                           "mprotect",
                           "brk",
                           "futex",
                           "execve",
                           "execveat",
                           "wait4",
                           "exit_group",
                           "rt_sigreturn",
                           "epoll_pwait",
                           "pipe2",
                           "getrandom",
                           "memfd_create",
                           "pidfd_open",
                           "pidfd_send_signal",
                           "landlock_restrict_self",
                           "shmget",
                           "mq_open",
                           "copy_file_range",
                           "splice",
                           "rseq",
                           "set_robust_list",
                           "membarrier",
                           "statx",
                           "sendmsg",
                           "bind",
                           "clock_nanosleep",
                           "setuid",
                           "mlock",
                           "restart_syscall",
                           "sched_setaffinity"}) {
    EXPECT_EQ(Do(name), kAllow) << name;
    EXPECT_EQ(Do(name, {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL}), kAllow) << name;
  }
  if (x86()) {
    for (const char* name : {"stat", "fork", "vfork", "arch_prctl", "poll", "access"}) {
      EXPECT_EQ(Do(name), kAllow) << name;
    }
  }
}

TEST_P(ContainerFilterTest, WhatReachesTheKernelsOrTheHostsPowerIsRefused) {
  for (const char* name : {"mount",
                           "umount2",
                           "pivot_root",
                           "open_tree",
                           "move_mount",
                           "fsopen",
                           "fsconfig",
                           "fsmount",
                           "fspick",
                           "mount_setattr",
                           "statmount",
                           "listmount",
                           "open_tree_attr",
                           "chroot",
                           "unshare",
                           "setns",
                           "bpf",
                           "perf_event_open",
                           "io_uring_setup",
                           "io_uring_enter",
                           "io_uring_register",
                           "userfaultfd",
                           "add_key",
                           "request_key",
                           "keyctl",
                           "ptrace",
                           "process_vm_readv",
                           "process_vm_writev",
                           "process_madvise",
                           "pidfd_getfd",
                           "kcmp",
                           "open_by_handle_at",
                           "name_to_handle_at",
                           "quotactl",
                           "quotactl_fd",
                           "swapon",
                           "swapoff",
                           "reboot",
                           "clock_settime",
                           "settimeofday",
                           "adjtimex",
                           "clock_adjtime",
                           "kexec_load",
                           "init_module",
                           "finit_module",
                           "delete_module",
                           "acct",
                           "syslog",
                           "vhangup",
                           "inotify_init1",
                           "inotify_add_watch",
                           "fanotify_init",
                           "fanotify_mark",
                           "sethostname",
                           "setdomainname",
                           "sync",
                           "io_setup",
                           "memfd_secret",
                           "sched_setattr",
                           "move_pages",
                           "migrate_pages",
                           "cachestat",
                           "lookup_dcookie"}) {
    EXPECT_EQ(Do(name), kNotify) << name;
    EXPECT_EQ(Do(name, {1, 1, 1, 1, 1, 1}), kNotify) << name;
  }
  if (x86()) {
    for (const char* name : {"iopl", "ioperm", "modify_ldt", "uselib", "_sysctl", "ustat", "sysfs"}) {
      EXPECT_EQ(Do(name), kNotify) << name;
    }
  }
}

TEST_P(ContainerFilterTest, NumbersWithoutANameAreRefused) {
  for (const int nr : {-1, 471, 500, 600, 1024, 0x3fffffff}) {
    EXPECT_EQ(Raw(nr, tables().audit_architecture), kNotify) << nr;
  }
}

TEST_P(ContainerFilterTest, OtherEntriesKillTheProcess) {
  for (const std::uint64_t other :
       Values{AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_ARM, AUDIT_ARCH_AARCH64, 0}) {
    if (other == tables().audit_architecture) continue;
    for (const int nr : {0, 1, 20, 63, 165})
      EXPECT_EQ(Raw(nr, static_cast<std::uint32_t>(other)), SECCOMP_RET_KILL_PROCESS) << other;
  }
  if (!x86()) return;
  const int x32 = 0x40000000;
  for (const int nr : {x32, x32 + 1, x32 + 165, x32 + 520, 0x7fffffff, -2}) {
    EXPECT_EQ(Raw(nr, AUDIT_ARCH_X86_64), SECCOMP_RET_KILL_PROCESS) << nr;
  }
}

TEST_P(ContainerFilterTest, CloneMakesProcessesAndThreadsButNoNamespace) {
  const std::uint64_t thread = 0x3d0f00;  // what pthread_create passes
  const std::uint64_t child = 0x1200011;  // what fork() passes
  const std::uint64_t vfork = 0x4111;
  for (const std::uint64_t flags : Values{thread, child, vfork, std::uint64_t{17}}) {
    EXPECT_EQ(Do("clone", {flags}), kAllow) << flags;
    EXPECT_EQ(Do("clone", {flags | kGarbage}), kAllow) << flags;
  }
  for (const std::uint64_t flag :
       Values{0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x80}) {
    for (const std::uint64_t with : Values{std::uint64_t{0}, thread, child, kGarbage, 0x7c000000}) {
      EXPECT_EQ(Do("clone", {flag | with}), kNotify) << std::hex << flag << " " << with;
    }
  }
  EXPECT_EQ(Do("clone3"), Errno(ENOSYS));
  EXPECT_EQ(Do("clone3", {1, 88}), Errno(ENOSYS));
}

TEST_P(ContainerFilterTest, IoctlRequestsAreListedAndTheirHighHalfIsIgnored) {
  for (const std::uint64_t request :
       Values{0x5401, 0x5413, 0x541b, 0x5421, 0x5451, 0x40049409, 0x8933, 0x80045430}) {
    EXPECT_EQ(Do("ioctl", {0, request}), kAllow) << std::hex << request;
    EXPECT_EQ(Do("ioctl", {0, request | kGarbage}), kAllow) << std::hex << request;
  }
  // TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, and some that are just not listed.
  for (const std::uint64_t request :
       Values{0x5412, 0x541c, 0x541d, 0x5423, 0x0, 0xffffffff, 0x8914, 0xc0045878, 0xb702}) {
    EXPECT_EQ(Do("ioctl", {0, request}), kNotify) << std::hex << request;
    EXPECT_EQ(Do("ioctl", {0, request | kGarbage}), kNotify) << std::hex << request;
    EXPECT_EQ(Do("ioctl", {0, request | (1ULL << 32)}), kNotify) << std::hex << request;
  }
}

TEST_P(ContainerFilterTest, SocketsByFamilyTypeAndProtocol) {
  for (const std::uint64_t flags : Values{0x0, 0x800, 0x80000, 0x80800, kGarbage}) {
    for (const std::uint64_t type : Values{1, 2, 5}) {
      EXPECT_EQ(Do("socket", {1, type | flags, 0}), kAllow) << type;
      EXPECT_EQ(Do("socketpair", {1, type | flags, 0}), kAllow) << type;
    }
    // TCP and UDP: the supervisor lets them be made, and takes note (SeccompListener::met_network).
    for (const std::uint64_t family : Values{2, 10}) {
      EXPECT_EQ(Do("socket", {family, 1 | flags, 0}), kNotify);
      EXPECT_EQ(Do("socket", {family, 1 | flags, 6}), kNotify);
      EXPECT_EQ(Do("socket", {family, 2 | flags, 0}), kNotify);
      EXPECT_EQ(Do("socket", {family, 2 | flags, 17}), kNotify);
      EXPECT_EQ(Do("socket", {family, 1 | flags, 262}), Errno(EPROTONOSUPPORT));
      for (const std::uint64_t type : Values{0, 3, 4, 5, 6, 10}) {  // raw, rdm, seqpacket, dccp, packet
        EXPECT_EQ(Do("socket", {family, type | flags, 0}), kNotify) << type;
        EXPECT_EQ(Do("socket", {family, type | flags, 132}), kNotify) << type;
      }
      for (const std::uint64_t protocol : Values{1, 17, 132, 255}) {  // icmp, udp, sctp, raw
        EXPECT_EQ(Do("socket", {family, 1 | flags, protocol}), kNotify) << protocol;
      }
      for (const std::uint64_t protocol : Values{1, 6, 58, 115, 136, 255}) {  // icmp, icmpv6, l2tp, udplite
        EXPECT_EQ(Do("socket", {family, 2 | flags, protocol}), kNotify) << protocol;
      }
    }
    EXPECT_EQ(Do("socket", {16, 3 | flags, 0}), Errno(EAFNOSUPPORT));
    EXPECT_EQ(Do("socket", {16 | kGarbage, 2 | flags, 15}), Errno(EAFNOSUPPORT));
    for (const std::uint64_t family :
         Values{0, 3, 4, 5, 15, 17, 21, 29, 30, 31, 38, 39, 40, 41, 44, 45, 46}) {
      for (const std::uint64_t type : Values{1, 2, 3, 5}) {
        EXPECT_EQ(Do("socket", {family, type | flags, 0}), kNotify) << family;
        EXPECT_EQ(Do("socketpair", {family, type | flags, 0}), kNotify) << family;
      }
    }
  }
  EXPECT_EQ(Do("socket", {1, 3, 0}), kNotify);
  EXPECT_EQ(Do("socketpair", {2, 1, 0}), kNotify);
}

TEST_P(ContainerFilterTest, ConnectIsReportedForTheSizesOfNetworkAddresses) {
  for (const std::uint64_t size : Values{0, 2, 15, 17, 27, 29, 40, 110, 127}) {
    EXPECT_EQ(Do("connect", {3, 0x1000, size}), kAllow) << size;
    EXPECT_EQ(Do("connect", {3, 0x1000, size | kGarbage}), kAllow) << size;
  }
  for (const std::uint64_t size : Values{16, 28, 128, 129, 0xffffffff}) {
    EXPECT_EQ(Do("connect", {3, 0x1000, size}), kNotify) << size;
    EXPECT_EQ(Do("connect", {3, 0x1000, size | kGarbage}), kNotify) << size;
  }
}

TEST_P(ContainerFilterTest, NodesAreNoDevices) {
  const auto check = [&](const char* name, std::size_t argument) {
    for (const std::uint64_t kind :
         Values{0x0, 0x1000, 0x8000, 0xc000, 0x2000, 0x6000, 0x4000, 0xa000, 0xf000}) {
      std::array<std::uint64_t, 6> args = {};
      args[argument] = kind | 0644 | kGarbage;
      const bool harmless = kind == 0 || kind == 0x1000 || kind == 0x8000 || kind == 0xc000;
      EXPECT_EQ(Do(name, args), harmless ? kAllow : kNotify) << name << std::hex << kind;
    }
  };
  check("mknodat", 2);
  if (x86()) check("mknod", 1);
}

TEST_P(ContainerFilterTest, NoFileIsMadeSetuidOrSetgid) {
  const auto check = [&](const char* name, std::size_t mode_argument, std::array<std::uint64_t, 6> args) {
    for (const std::uint64_t mode : Values{0, 0600, 0777, 01777}) {
      args[mode_argument] = mode | kGarbage;
      EXPECT_EQ(Do(name, args), kAllow) << name << std::oct << mode;
    }
    for (const std::uint64_t mode : Values{04755, 02755, 06000, 07777}) {
      args[mode_argument] = mode | kGarbage;
      EXPECT_EQ(Do(name, args), kNotify) << name << std::oct << mode;
    }
  };
  constexpr std::uint64_t kCreate = 0x40;
  constexpr std::uint64_t kTmpfile = 0x410000;
  check("openat", 3, {0, 0, kCreate | 2});
  check("openat", 3, {0, 0, kTmpfile | 2});
  check("mknodat", 2, {});
  check("fchmod", 1, {});
  check("fchmodat", 2, {});
  check("fchmodat2", 2, {});
  if (x86()) {
    check("open", 2, {0, kCreate | 1});
    check("creat", 1, {});
    check("chmod", 1, {});
    check("mknod", 1, {});
  }
  // Without O_CREAT the mode is whatever the register holds.
  EXPECT_EQ(Do("openat", {0, 0, 2, 07777}), kAllow);
  EXPECT_EQ(Do("openat2", {~0ULL, ~0ULL, ~0ULL, ~0ULL, 0, 0}), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST_P(ContainerFilterTest, ProcessStateByArgument) {
  EXPECT_EQ(Do("personality", {0xffffffff}), kAllow);
  EXPECT_EQ(Do("personality", {0}), kAllow);
  for (const std::uint64_t persona : Values{0x40000, 0x20000, 0x400000, 8, 0x40000 | kGarbage}) {
    EXPECT_EQ(Do("personality", {persona}), kNotify) << persona;
  }
  for (const std::uint64_t policy : Values{0, 3, 5, 0x40000000, kGarbage}) {
    EXPECT_EQ(Do("sched_setscheduler", {0, policy}), kAllow) << policy;
  }
  for (const std::uint64_t policy : Values{1, 2, 6, 7, 0x40000001}) {
    EXPECT_EQ(Do("sched_setscheduler", {0, policy}), kNotify) << policy;
  }
  for (const std::uint64_t option :
       Values{1, 2, 3, 4, 15, 16, 23, 29, 36, 38, 39, 41, 0x53564d41, 15 | kGarbage}) {
    EXPECT_EQ(Do("prctl", {option}), kAllow) << option;
  }
  for (const std::uint64_t option :
       Values{0, 8, 24, 26, 28, 35, 53, 57, 59, 62, 67, 0x59616d61, 35 | kGarbage}) {
    EXPECT_EQ(Do("prctl", {option}), kNotify) << option;
  }
  EXPECT_EQ(Do("prctl", {47, 1}), kAllow);   // ambient: is set
  EXPECT_EQ(Do("prctl", {47, 4}), kAllow);   // clear all
  EXPECT_EQ(Do("prctl", {47, 2}), kNotify);  // raise
  for (const std::uint64_t level : Values{0, 1, 6, 17, 41})
    EXPECT_EQ(Do("setsockopt", {3, level}), kAllow) << level;
  for (const std::uint64_t level : Values{270, 279, 255, 132, 282})
    EXPECT_EQ(Do("setsockopt", {3, level}), kNotify) << level;
}

TEST_P(ContainerFilterTest, AFurtherFilterIsAnsweredAsByAKernelWithoutIt) {
  EXPECT_EQ(Do("seccomp", {0}), kAllow);
  EXPECT_EQ(Do("seccomp", {2}), kAllow);
  EXPECT_EQ(Do("seccomp", {3}), kAllow);
  for (const std::uint64_t flags : Values{0x0, 0x1, 0x8, 0x2, 0x8 | kGarbage, 0xffffffff}) {
    EXPECT_EQ(Do("seccomp", {1, flags}), Errno(EINVAL)) << flags;
  }
  EXPECT_EQ(Do("prctl", {22, 2}), Errno(EINVAL));
  EXPECT_EQ(Do("seccomp", {4, 0}), kNotify);
}

TEST_P(ContainerFilterTest, TheCoreLimitCanBeReadOnly) {
  constexpr std::uint64_t kCore = 4;
  constexpr std::uint64_t kPointer = 0x7f0000000000;  // its low half is zero
  EXPECT_EQ(Do("prlimit64", {0, kCore, 0, kPointer}), kAllow);
  EXPECT_EQ(Do("prlimit64", {0, kCore, kPointer, 0}), kNotify);
  EXPECT_EQ(Do("prlimit64", {0, kCore | kGarbage, kPointer, 0}), kNotify);
  EXPECT_EQ(Do("setrlimit", {kCore, kPointer}), kNotify);
  for (const std::uint64_t resource : Values{0, 1, 2, 3, 5, 7, 15}) {
    EXPECT_EQ(Do("prlimit64", {0, resource, kPointer, 0}), kAllow) << resource;
    EXPECT_EQ(Do("setrlimit", {resource, kPointer}), kAllow) << resource;
  }
}

TEST_P(ContainerFilterTest, ProbingByLibrariesIsAnsweredWithoutAReport) {
  for (const char* name : {"get_mempolicy", "set_mempolicy", "mbind"})
    EXPECT_EQ(Do(name), Errno(ENOSYS)) << name;
}

TEST_P(ContainerFilterTest, IsOfASizeThatInstallsQuickly) {
  EXPECT_GT(tables().program.size(), 300U);
  EXPECT_LT(tables().program.size(), 800U);
}

INSTANTIATE_TEST_SUITE_P(Architectures, ContainerFilterTest,
                         testing::Values(
                             +[] { return &ContainerSeccompX8664(); },
                             +[] { return &ContainerSeccompAarch64(); }),
                         [](const auto& instance) {
                           return std::string(instance.index == 0 ? "X8664" : "Aarch64");
                         });

TEST(SyscallNameTest, NamesThisArchitecturesNumbers) {
  EXPECT_EQ(SyscallName(SYS_read), "read");
  EXPECT_EQ(SyscallName(SYS_clone3), "clone3");
  EXPECT_EQ(SyscallName(457), "statmount");
  EXPECT_EQ(SyscallName(-1), "");
  EXPECT_EQ(SyscallName(100'000), "");
}

TEST(ExplainSyscallRefusalTest, HasAReasonAndARemedyForEveryNumber) {
  for (int nr = -1; nr < 600; ++nr) {
    const SyscallRefusal refusal = ExplainSyscallRefusal(nr);
    EXPECT_FALSE(refusal.reason.empty()) << nr;
    EXPECT_FALSE(refusal.remedy.empty()) << nr;
  }
  EXPECT_THAT(std::string(ExplainSyscallRefusal(SYS_mount).reason), testing::HasSubstr("mounts"));
  EXPECT_NE(ExplainSyscallRefusal(SYS_mount).remedy, ExplainSyscallRefusal(SYS_bpf).remedy);
}

}  // namespace
}  // namespace casemate
