#include "confine/seccomp_evaluate.h"

#include <cstddef>
#include <cstring>

namespace casemate {
namespace {

std::unexpected<std::string> Refuse(std::size_t at, const char* why) {
  return std::unexpected("Instruction " + std::to_string(at) + " " + why);
}

bool Jumps(const sock_filter& step, std::uint32_t accumulator) {
  switch (BPF_OP(step.code)) {
    case BPF_JEQ:
      return accumulator == step.k;
    case BPF_JGT:
      return accumulator > step.k;
    case BPF_JGE:
      return accumulator >= step.k;
    default:
      return (accumulator & step.k) != 0;
  }
}

}  // namespace

std::expected<std::uint32_t, std::string> EvaluateSeccomp(std::span<const sock_filter> program,
                                                          const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  // Jumps go forward only, so that each instruction runs at most once.
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k % sizeof(std::uint32_t) != 0 || step.k > sizeof(data) - sizeof(std::uint32_t)) {
          return Refuse(at, "loads from outside of seccomp_data.");
        }
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, sizeof(accumulator));
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        // In 64 bits, so that no jump wraps around to the start.
        if (step.k >= program.size() - at - 1) return Refuse(at, "jumps past the end.");
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
      case BPF_JMP | BPF_JGT | BPF_K:
      case BPF_JMP | BPF_JGE | BPF_K:
      case BPF_JMP | BPF_JSET | BPF_K: {
        const std::size_t skip = Jumps(step, accumulator) ? step.jt : step.jf;
        if (skip >= program.size() - at - 1) return Refuse(at, "jumps past the end.");
        at += skip;
        break;
      }
      case BPF_RET | BPF_K:
        return step.k;
      default:
        return Refuse(at, "is none that libseccomp emits.");
    }
  }
  return Refuse(program.size(), "is missing: the program ends without a return.");
}

}  // namespace casemate
