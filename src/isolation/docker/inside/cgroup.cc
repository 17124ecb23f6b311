#include "isolation/docker/inside/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "isolation/wire/inside/channel.h"

namespace casemate::docker {
namespace {

constexpr int kGivenFd = 3;
// Above the program's own numbers, as inside/program.cc.
constexpr int kParkedFd = 1210;

}  // namespace

Cgroup::Cgroup(bool given) {
  if (!given) return;
  folder_ = UniqueFd(fcntl(kGivenFd, F_DUPFD_CLOEXEC, kParkedFd));
  if (!folder_.valid()) WireChannel::Fail(errno, "find its cgroup");
  close(kGivenFd);
}

// `key` "": the file is one number.
unsigned long long Cgroup::Number(const char* file, const char* key) const {
  const UniqueFd opened(openat(folder_.get(), file, O_RDONLY | O_CLOEXEC));
  std::array<char, 512> bytes{};
  const ssize_t count = opened.valid() ? read(opened.get(), bytes.data(), bytes.size() - 1) : 0;
  if (count <= 0) return 0;
  const std::string text = "\n" + std::string(bytes.data(), static_cast<std::size_t>(count));
  const std::string wanted = "\n" + std::string(key);
  const std::size_t at = text.find(wanted);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + wanted.size(), nullptr, 10);
}

std::string Cgroup::Count() const {
  if (!folder_.valid()) return "";
  // The attendant itself is no process of the program's.
  const unsigned long long processes = std::max(Number("pids.peak", ""), Number("pids.current", ""));
  processes_peak_ = std::max(processes_peak_, processes - std::min(processes, 1ULL));
  return std::to_string(Number("memory.peak", "")) + " " +
         std::to_string(Number("memory.events", "oom_kill ")) + " " +
         std::to_string(Number("pids.events", "max ")) + " " + std::to_string(processes_peak_);
}

}  // namespace casemate::docker
