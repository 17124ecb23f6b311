#include "isolation/docker/owner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"

namespace casemate::docker {
namespace {

std::string BootId() { return ReadKernelFile("/proc/sys/kernel/random/boot_id"); }

// proc(5): the 22nd field of stat; the second, a name, may have spaces.
std::string StartTimeOf(const std::string& pid) {
  const std::string text = ReadKernelFile("/proc/" + pid + "/stat");
  std::string_view rest(text);
  rest.remove_prefix(std::min(rest.rfind(')') + 2, rest.size()));
  constexpr int kFieldsBetween = 19;
  for (int field = 0; field < kFieldsBetween; ++field)
    rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  return std::string(rest.substr(0, rest.find(' ')));
}

}  // namespace

std::string OwnerOfThis() {
  const std::string pid = std::to_string(getpid());
  return fmt::format("{} {} {}", BootId(), pid, StartTimeOf(pid));
}

bool OwnerIsGone(const std::string& owner) {
  const std::size_t first = owner.find(' ');
  const std::size_t second = owner.find(' ', first + 1);
  if (first == std::string::npos || second == std::string::npos) return false;
  // Of another host that uses the same Docker Engine, or of this one before its last start: not ours to
  // judge.
  if (owner.substr(0, first) != BootId()) return false;
  return StartTimeOf(owner.substr(first + 1, second - first - 1)) != owner.substr(second + 1);
}

std::string UniqueName(const std::string& id) {
  static std::atomic<std::uint64_t> next = 0;
  return fmt::format("{}-{:x}-{:x}-{:x}", id, getpid(), static_cast<std::uint64_t>(MonotonicUs()), next++);
}

}  // namespace casemate::docker
