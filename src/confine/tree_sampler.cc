#include "confine/tree_sampler.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace casemate {
namespace {

std::vector<long long> Numbers(std::string_view text) {
  std::vector<long long> numbers;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end) {
    long long number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error == std::errc()) numbers.push_back(number);
    at = next;
    while (at < end && *at != ' ') ++at;
    while (at < end && *at == ' ') ++at;
  }
  return numbers;
}

// proc(5): fields 14 to 17 of stat are utime, stime, cutime, cstime; counting starts behind the name, whose
// own spaces and brackets are the program's choice.
std::int64_t CpuTimeUs(const std::string& folder) {
  const std::string stat = ReadKernelFile(folder + "/stat");
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string::npos || bracket + 4 > stat.size()) return 0;
  const std::vector<long long> fields = Numbers(std::string_view(stat).substr(bracket + 4));  // from field 4
  constexpr std::size_t kUtime = 14 - 4;
  if (fields.size() < kUtime + 4) return 0;
  static const long long ticks_per_second = sysconf(_SC_CLK_TCK);
  const long long ticks = fields[kUtime] + fields[kUtime + 1] + fields[kUtime + 2] + fields[kUtime + 3];
  return ticks * (1'000'000 / ticks_per_second);
}

// proc(5): statm is size, resident, shared, ... in pages.
std::int64_t MemoryBytes(const std::string& folder) {
  const std::vector<long long> pages = Numbers(ReadKernelFile(folder + "/statm"));
  static const long long page_bytes = sysconf(_SC_PAGESIZE);
  return pages.size() < 3 ? 0 : (pages[1] - pages[2]) * page_bytes;
}

void AddTasks(const std::string& folder, TreeSample& sample, std::vector<long long>& pending) {
  DIR* tasks = opendir((folder + "/task").c_str());
  if (tasks == nullptr) return;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
  while (const dirent* entry = readdir(tasks)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name.front() == '.') continue;
    ++sample.tasks;
    for (const long long child : Numbers(ReadKernelFile(fmt::format("{}/task/{}/children", folder, name)))) {
      pending.push_back(child);
    }
  }
  closedir(tasks);
}

// Calls `visit` with each process and its folder in /proc.
template <typename Visit>
TreeSample Walk(pid_t root, std::int64_t tasks_max, const Visit& visit) {
  TreeSample sample;
  std::vector<long long> pending{root};
  while (!pending.empty() && sample.tasks < tasks_max) {
    const auto process = static_cast<pid_t>(pending.back());
    const std::string folder = fmt::format("/proc/{}", process);
    pending.pop_back();
    visit(process, folder, sample);
    AddTasks(folder, sample, pending);
  }
  return sample;
}

}  // namespace

TreeSample SampleTree(pid_t root, std::int64_t tasks_max) {
  return Walk(root, tasks_max, [](pid_t, const std::string& folder, TreeSample& sample) {
    sample.cpu_time_us += CpuTimeUs(folder);
    sample.memory_bytes += MemoryBytes(folder);
  });
}

std::vector<pid_t> ProcessesOfTree(pid_t root, std::int64_t tasks_max) {
  std::vector<pid_t> processes;
  Walk(root, tasks_max,
       [&](pid_t process, const std::string&, TreeSample&) { processes.push_back(process); });
  return processes;
}

}  // namespace casemate
