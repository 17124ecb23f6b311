#include "isolation/microvm/guest_filter.h"

#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>

namespace casemate::microvm {
namespace {

std::uint32_t Answer(const SeccompFamily& family) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(family.answer) & SECCOMP_RET_DATA);
}

}  // namespace

// The answers stand behind the program, whose jumps all lead forward: each return that asks the listener
// becomes a jump there.
std::vector<sock_filter> GuestFilter(const SeccompTables& tables) {
  std::vector<sock_filter> filter(tables.program.begin(), tables.program.end());
  const std::size_t answers = filter.size();
  constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
  for (std::size_t i = 0; i < answers; ++i) {
    if (filter[i].code != kReturn || filter[i].k != SECCOMP_RET_USER_NOTIF) continue;
    filter[i] = {BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(answers - i - 1)};
  }
  filter.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)});
  const std::uint32_t otherwise = Answer(tables.families[0]);
  for (std::size_t nr = 0; nr < tables.family_of.size(); ++nr) {
    const std::uint32_t answer = Answer(tables.families[tables.family_of[nr]]);
    if (answer == otherwise) continue;
    filter.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(nr)});
    filter.push_back({kReturn, 0, 0, answer});
  }
  filter.push_back({kReturn, 0, 0, otherwise});
  return filter;
}

}  // namespace casemate::microvm
