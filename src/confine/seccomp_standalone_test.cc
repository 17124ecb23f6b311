#include "confine/seccomp_standalone.h"

#include <gtest/gtest.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "confine/seccomp_evaluate.h"
#include "confine/seccomp_filter.h"

namespace casemate {
namespace {

std::uint32_t Answer(long nr, SandboxNetwork network = SandboxNetwork::kNone,
                     const std::array<std::uint64_t, 3>& arguments = {}) {
  const SeccompTables& tables = ContainerSeccompTables();
  const std::vector<sock_filter> filter = StandaloneSeccompFilter(tables, network);
  seccomp_data call{};
  call.nr = static_cast<int>(nr);
  std::ranges::copy(arguments, call.args);
  call.arch = tables.audit_architecture;
  return EvaluateSeccomp(filter, call).value_or(SECCOMP_RET_KILL_PROCESS);
}

TEST(SeccompStandaloneTest, AllowsWhatTheContainerTierAllows) {
  EXPECT_EQ(Answer(SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer(SYS_openat), SECCOMP_RET_ALLOW);
}

TEST(SeccompStandaloneTest, AnswersByItselfWhatAListenerWouldAnswer) {
  const SeccompTables& tables = ContainerSeccompTables();
  const std::vector<sock_filter> filter = StandaloneSeccompFilter(tables, SandboxNetwork::kNone);
  EXPECT_TRUE(std::ranges::none_of(filter, [](const sock_filter& word) {
    return word.code == (BPF_RET | BPF_K) && word.k == SECCOMP_RET_USER_NOTIF;
  }));
  for (const long nr : {SYS_mount, SYS_bpf, SYS_ptrace, SYS_reboot}) {
    const auto family = tables.families[tables.family_of[static_cast<std::size_t>(nr)]];
    EXPECT_EQ(Answer(nr), SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(family.answer)) << nr;
  }
}

TEST(SeccompStandaloneTest, KeepsTheAnswersThatTheProgramHas) {
  // A C library falls back to clone(2).
  EXPECT_EQ(Answer(SYS_clone3), SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(ENOSYS));
}

TEST(SeccompStandaloneTest, LetsNoSocketOfANetworkBeMadeWithoutOne) {
  const auto answer = Answer(SYS_socket, SandboxNetwork::kNone, {AF_INET, SOCK_STREAM, 0});
  EXPECT_EQ(answer & SECCOMP_RET_ACTION_FULL, static_cast<std::uint32_t>(SECCOMP_RET_ERRNO));
  EXPECT_NE(Answer(SYS_connect, SandboxNetwork::kNone, {3, 0, sizeof(sockaddr_in)}), SECCOMP_RET_ALLOW);
}

TEST(SeccompStandaloneTest, LetsWhatTheLoopbackCarriesBeMadeAndNoOtherSocket) {
  const auto socket = [](int family, int type, int protocol) {
    const auto word = [](int value) { return static_cast<std::uint64_t>(value); };
    // Bits above an int's are none of the kernel's business.
    return Answer(SYS_socket, SandboxNetwork::kLoopback,
                  {word(family) | 7ULL << 32, word(type), word(protocol)});
  };
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int flags : {0, SOCK_NONBLOCK | SOCK_CLOEXEC}) {
      EXPECT_EQ(socket(family, SOCK_STREAM | flags, 0), SECCOMP_RET_ALLOW);
      EXPECT_EQ(socket(family, SOCK_STREAM | flags, IPPROTO_TCP), SECCOMP_RET_ALLOW);
      EXPECT_EQ(socket(family, SOCK_DGRAM | flags, 0), SECCOMP_RET_ALLOW);
      EXPECT_EQ(socket(family, SOCK_DGRAM | flags, IPPROTO_UDP), SECCOMP_RET_ALLOW);
    }
    for (const auto& [type, protocol] : {std::pair<int, int>{SOCK_STREAM, IPPROTO_SCTP},
                                         {SOCK_STREAM, IPPROTO_UDP},
                                         {SOCK_STREAM, 262},  // IPPROTO_MPTCP
                                         {SOCK_DGRAM, IPPROTO_ICMP},
                                         {SOCK_DGRAM, IPPROTO_UDPLITE},
                                         {SOCK_RAW, IPPROTO_RAW},
                                         {SOCK_SEQPACKET, 0}})
      EXPECT_NE(socket(family, type, protocol), SECCOMP_RET_ALLOW) << type << " " << protocol;
  }
  for (const int family : {AF_PACKET, AF_NETLINK, AF_VSOCK, AF_ALG, AF_KEY})
    EXPECT_NE(socket(family, SOCK_STREAM, 0), SECCOMP_RET_ALLOW) << family;
  EXPECT_EQ(Answer(SYS_connect, SandboxNetwork::kLoopback, {3, 0, sizeof(sockaddr_in)}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer(SYS_mount, SandboxNetwork::kLoopback), Answer(SYS_mount));
}

// What the long program says, with its families' answers: the short one must say the same of any call.
std::uint32_t LongAnswer(const SeccompTables& tables, const seccomp_data& call) {
  const std::uint32_t answer = EvaluateSeccomp(tables.program, call).value_or(SECCOMP_RET_KILL_THREAD);
  if (answer != SECCOMP_RET_USER_NOTIF) return answer;
  const auto number = static_cast<std::uint32_t>(call.nr);
  const std::size_t family = number < tables.family_of.size() ? tables.family_of[number] : 0;
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(tables.families[family].answer);
}

// What any test of the program compares with, and the neighbours of that.
std::vector<std::uint32_t> InterestingWords(const SeccompTables& tables) {
  std::set<std::uint32_t> words = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
  for (const sock_filter& step : tables.program) {
    if (BPF_CLASS(step.code) == BPF_RET || step.code == (BPF_LD | BPF_W | BPF_ABS)) continue;
    for (const std::uint32_t word : {step.k - 1, step.k, step.k + 1, ~step.k}) words.insert(word);
  }
  return {words.begin(), words.end()};
}

TEST(SeccompStandaloneTest, TheShortProgramSaysTheSameOfEveryCall) {
  // NOLINTNEXTLINE(cert-msc*,bugprone-random-generator-seed): the same calls each time
  std::mt19937_64 random(20261130);
  for (const SeccompTables* tables : {&ContainerSeccompX8664(), &ContainerSeccompAarch64(),
                                      &ProcessSeccompX8664(), &ProcessSeccompAarch64()}) {
    const std::vector<std::uint32_t> words = InterestingWords(*tables);
    const auto pick = [&] { return words[random() % words.size()]; };
    std::vector<std::uint32_t> numbers = words;
    for (std::uint32_t number = 0; number <= tables->family_of.size() + 2; ++number)
      numbers.push_back(number);
    for (const std::uint32_t number : numbers) {
      for (int turn = 0; turn < 400; ++turn) {
        seccomp_data call{};
        call.nr = static_cast<int>(number);
        call.arch = turn == 0 ? tables->audit_architecture ^ 1 : tables->audit_architecture;
        for (auto& argument : call.args)
          argument = static_cast<std::uint64_t>(random() % 3 == 0 ? pick() : 0) << 32 | pick();
        const auto answer = EvaluateSeccomp(tables->standalone, call);
        ASSERT_TRUE(answer) << answer.error();
        ASSERT_EQ(*answer, LongAnswer(*tables, call)) << number;
      }
    }
    EXPECT_LT(tables->standalone.size(), tables->program.size() * 2 / 3);
  }
}

TEST(SeccompStandaloneTest, FitsIntoTheKernel) {
  constexpr std::size_t kInstructionsMax = 4096;
  EXPECT_LE(StandaloneSeccompFilter(ContainerSeccompTables(), SandboxNetwork::kLoopback).size(),
            kInstructionsMax);
}

}  // namespace
}  // namespace casemate
