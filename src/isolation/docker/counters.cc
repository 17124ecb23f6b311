#include "isolation/docker/counters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/file.h"

namespace casemate::docker {
namespace {

// Of a process's /proc/PID/cgroup (cgroups(7)): the path of `controller`, "" for version 2.
std::string PathOf(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string names = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool same =
        controller.empty() ? names == ",," : names.find(fmt::format(",{},", controller)) != std::string::npos;
    if (same) return std::string(line.substr(second + 1));
  }
  return "";
}

}  // namespace

std::optional<Counters> Counters::Open(pid_t pid, const std::string& container_id) {
  const std::string text = ReadKernelFile(fmt::format("/proc/{}/cgroup", pid));
  if (text.find(container_id) == std::string::npos) return std::nullopt;
  Counters counters;
  counters.unified_ = FileExists("/sys/fs/cgroup/cgroup.controllers");
  struct Place {
    File file;
    const char* controller;
    const char* version1;
    const char* version2;
  };
  constexpr std::array kPlaces = {
      Place{kCpu, "cpuacct", "cpuacct.usage", "cpu.stat"},
      Place{kMemoryPeak, "memory", "memory.max_usage_in_bytes", "memory.peak"},
      Place{kMemoryKills, "memory", "memory.oom_control", "memory.events"},
      Place{kPidsEvents, "pids", "pids.events", "pids.events"},
      Place{kPidsCurrent, "pids", "pids.current", "pids.current"},
      Place{kPidsPeak, "pids", "pids.peak", "pids.peak"},
  };
  for (const Place& place : kPlaces) {
    const std::string path = PathOf(text, counters.unified_ ? "" : place.controller);
    const std::string folder = counters.unified_ ? "/sys/fs/cgroup" + path
                                                 : fmt::format("/sys/fs/cgroup/{}{}", place.controller, path);
    const std::string name = folder + "/" + (counters.unified_ ? place.version2 : place.version1);
    counters.files_[place.file].reset(open(name.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!counters.files_[kCpu].valid() || !counters.files_[kMemoryKills].valid()) return std::nullopt;
  return counters;
}

std::string_view Counters::Text(File file) {
  if (!files_[file].valid()) return {};
  const ssize_t count = pread(files_[file].get(), text_.data(), text_.size(), 0);
  return count > 0 ? std::string_view(text_.data(), static_cast<std::size_t>(count)) : std::string_view();
}

// The number after `key` at the start of a line, or of the whole text without a key; 0 when it is not there.
std::int64_t Counters::Number(File file, std::string_view key) {
  std::string_view text = Text(file);
  while (!text.empty() && !text.starts_with(key)) {
    const std::size_t end = text.find('\n');
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  text.remove_prefix(std::min(key.size(), text.size()));
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void Counters::Read(ResourceReading& reading) {
  const auto keep = [](std::int64_t& last, std::int64_t now) { last = std::max(last, now); };
  constexpr std::int64_t kNanosecondsPerMicrosecond = 1000;
  keep(last_.cpu_time_us,
       unified_ ? Number(kCpu, "usage_usec ") : Number(kCpu, "") / kNanosecondsPerMicrosecond);
  keep(last_.memory_peak_bytes, Number(kMemoryPeak, ""));
  keep(last_.memory_kills, Number(kMemoryKills, "oom_kill "));
  keep(last_.process_refusals, Number(kPidsEvents, "max "));
  keep(last_.processes_peak, std::max(Number(kPidsPeak, ""), Number(kPidsCurrent, "")));
  reading.cpu_time_us = last_.cpu_time_us;
  reading.memory_peak_bytes = last_.memory_peak_bytes;
  reading.memory_kills = last_.memory_kills;
  reading.process_refusals = last_.process_refusals;
  reading.processes_peak = last_.processes_peak;
}

}  // namespace casemate::docker
