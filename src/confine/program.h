#pragma once

#include <array>
#include <cstddef>

#include "confine/plan.h"

namespace casemate {

// What execve(2) wants. Points into the plan.
struct ExecWords {
  static constexpr std::size_t kWordsMax = 1024;
  std::array<char*, kWordsMax + 1> argv{};
  std::array<char*, kWordsMax + 1> env{};

  // -E2BIG when the plan has more words.
  int Fill(ConfinementPlan& plan);
};

// The program's own steps, 9 to 14 of apply.cc, which every tier without a zygote takes: from the fork,
// behind whatever walls there are, to exec. Never returns; reports on plan.socket. Async-signal-safe, and
// writes to no memory but its own stack, so that a vfork(2) child may do it.
[[noreturn]] void RunProgram(const ConfinementPlan& plan, ExecWords& words);

}  // namespace casemate
