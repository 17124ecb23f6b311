#include "confine/seccomp_standalone.h"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace casemate {
namespace {

constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;

std::uint32_t Answer(const SeccompFamily& family) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(family.answer) & SECCOMP_RET_DATA);
}

// The half that the kernel reads of an int.
constexpr std::uint32_t Argument(std::uint32_t index) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

// What SeccompListener lets through where there is a loopback; the number is loaded.
void AllowSockets(const SeccompTables& tables, std::vector<sock_filter>& filter) {
  const auto socket_answer =
      Answer(tables.families[tables.family_of[static_cast<std::size_t>(tables.socket_number)]]);
  filter.push_back({kIfEqual, 0, 1, static_cast<std::uint32_t>(tables.connect_number)});
  filter.push_back({kReturn, 0, 0, SECCOMP_RET_ALLOW});
  // TCP and UDP. Jumps are counted from the next word; 13 refuses, 14 allows.
  const std::array<sock_filter, 15> block = {{
      {kLoad, 0, 0, Argument(0)},
      {kIfEqual, 1, 0, AF_INET},
      {kIfEqual, 0, 10, AF_INET6},
      {kLoad, 0, 0, Argument(1)},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, ~static_cast<std::uint32_t>(SOCK_NONBLOCK | SOCK_CLOEXEC)},
      {kIfEqual, 0, 3, SOCK_STREAM},
      {kLoad, 0, 0, Argument(2)},
      {kIfEqual, 6, 0, 0},
      {kIfEqual, 5, 4, IPPROTO_TCP},
      {kIfEqual, 0, 3, SOCK_DGRAM},
      {kLoad, 0, 0, Argument(2)},
      {kIfEqual, 2, 0, 0},
      {kIfEqual, 1, 0, IPPROTO_UDP},
      {kReturn, 0, 0, socket_answer},
      {kReturn, 0, 0, SECCOMP_RET_ALLOW},
  }};
  filter.push_back({kIfEqual, 0, block.size(), static_cast<std::uint32_t>(tables.socket_number)});
  filter.insert(filter.end(), block.begin(), block.end());
}

}  // namespace

// The answers stand behind the program, whose jumps all lead forward: each return that asks the listener
// becomes a jump there.
std::vector<sock_filter> StandaloneSeccompFilter(const SeccompTables& tables, SandboxNetwork network) {
  if (network == SandboxNetwork::kNone) return {tables.standalone.begin(), tables.standalone.end()};
  std::vector<sock_filter> filter(tables.program.begin(), tables.program.end());
  const std::size_t answers = filter.size();
  for (std::size_t i = 0; i < answers; ++i) {
    if (filter[i].code != kReturn || filter[i].k != SECCOMP_RET_USER_NOTIF) continue;
    filter[i] = {BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(answers - i - 1)};
  }
  filter.push_back({kLoad, 0, 0, offsetof(seccomp_data, nr)});
  AllowSockets(tables, filter);
  const std::uint32_t otherwise = Answer(tables.families[0]);
  for (std::size_t nr = 0; nr < tables.family_of.size(); ++nr) {
    const std::uint32_t answer = Answer(tables.families[tables.family_of[nr]]);
    if (answer == otherwise) continue;
    filter.push_back({kIfEqual, 0, 1, static_cast<std::uint32_t>(nr)});
    filter.push_back({kReturn, 0, 0, answer});
  }
  filter.push_back({kReturn, 0, 0, otherwise});
  return filter;
}

std::string OciSocketRules() {
  constexpr unsigned kWithoutFlags = ~static_cast<unsigned>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  std::string rules = R"(,{"names":["connect"],"action":"SCMP_ACT_ALLOW","args":[]})";
  const auto equals = [](int index, unsigned mask, int value) {
    return fmt::format(R"({{"index":{},"value":{},"valueTwo":{},"op":"SCMP_CMP_MASKED_EQ"}})", index, mask,
                       value);
  };
  for (const int family : {AF_INET, AF_INET6}) {
    for (const auto& [type, protocol] : {std::pair{SOCK_STREAM, 0},
                                         {SOCK_STREAM, static_cast<int>(IPPROTO_TCP)},
                                         {SOCK_DGRAM, 0},
                                         {SOCK_DGRAM, static_cast<int>(IPPROTO_UDP)}}) {
      rules += fmt::format(R"(,{{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{},{},{}]}})",
                           equals(0, ~0U, family), equals(1, kWithoutFlags, type), equals(2, ~0U, protocol));
    }
  }
  return rules;
}

}  // namespace casemate
