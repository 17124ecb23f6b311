#include "confine/seccomp_evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace casemate {
namespace {

constexpr sock_filter Load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr sock_filter Return(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
constexpr sock_filter Jump(std::uint16_t how, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | how | BPF_K), k, yes, no);
}

std::expected<std::uint32_t, std::string> Evaluate(const std::vector<sock_filter>& program,
                                                   const seccomp_data& data = {}) {
  return EvaluateSeccomp(program, data);
}

seccomp_data Call(int nr) {
  seccomp_data data = {};
  data.nr = nr;
  return data;
}

TEST(EvaluateSeccompTest, ReturnsTheActionWithItsData) {
  EXPECT_EQ(Evaluate({Return(0x00050001)}), 0x00050001U);
}

TEST(EvaluateSeccompTest, EachJumpTakesBothWays) {
  struct Case {
    std::uint16_t how;
    int taken;
    int not_taken;
  };
  for (const Case& c :
       {Case{BPF_JEQ, 5, 6}, Case{BPF_JGT, 6, 5}, Case{BPF_JGE, 5, 4}, Case{BPF_JSET, 4, 8}}) {
    const std::vector<sock_filter> program = {Load(offsetof(seccomp_data, nr)), Jump(c.how, 5, 1, 0),
                                              Return(1), Return(2)};
    EXPECT_EQ(Evaluate(program, Call(c.taken)), 2U) << c.how;
    EXPECT_EQ(Evaluate(program, Call(c.not_taken)), 1U) << c.how;
  }
}

TEST(EvaluateSeccompTest, ComparisonsAreUnsigned) {
  const std::vector<sock_filter> program = {Load(offsetof(seccomp_data, nr)), Jump(BPF_JGE, 0x40000000, 0, 1),
                                            Return(2), Return(1)};
  EXPECT_EQ(Evaluate(program, Call(-1)), 2U);
}

TEST(EvaluateSeccompTest, MasksAndLongJumps) {
  const std::vector<sock_filter> program = {Load(offsetof(seccomp_data, nr)),
                                            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                                            Jump(BPF_JEQ, 0x20, 0, 1),
                                            BPF_STMT(BPF_JMP | BPF_JA, 1),
                                            Return(1),
                                            Return(2)};
  EXPECT_EQ(Evaluate(program, Call(0x2f)), 2U);
  EXPECT_EQ(Evaluate(program, Call(0x3f)), 1U);
}

TEST(EvaluateSeccompTest, ReadsBothHalvesOfArguments) {
  seccomp_data data = {};
  data.args[5] = 0x1122334455667788;
  const std::size_t low = offsetof(seccomp_data, args) + 5 * sizeof(std::uint64_t);
  EXPECT_EQ(Evaluate({Load(low), Jump(BPF_JEQ, 0x55667788, 0, 1), Return(2), Return(1)}, data), 2U);
  EXPECT_EQ(Evaluate({Load(low + 4), Jump(BPF_JEQ, 0x11223344, 0, 1), Return(2), Return(1)}, data), 2U);
}

TEST(EvaluateSeccompTest, RefusesWhatItDoesNotKnow) {
  const std::vector<std::vector<sock_filter>> programs = {
      {},                                                   // no return
      {Load(0)},                                            // falls off its end
      {Load(2), Return(0)},                                 // not aligned
      {Load(64), Return(0)},                                // past seccomp_data
      {Load(0xfffffffc), Return(0)},                        // wraps around
      {Jump(BPF_JEQ, 0, 1, 1), Return(0)},                  // jumps past the end
      {BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), Return(0)},  // wraps around
      {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), Return(0)},   // half a word
      {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), Return(0)},  // divides by zero
      {BPF_STMT(BPF_RET | BPF_A, 0)},                       // returns the accumulator
      {BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), Return(0)},  // the other register
  };
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const auto result = Evaluate(programs[i]);
    ASSERT_FALSE(result.has_value()) << "program " << i;
    EXPECT_THAT(result.error(), testing::StartsWith("Instruction ")) << "program " << i;
  }
}

}  // namespace
}  // namespace casemate
