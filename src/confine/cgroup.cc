#include "confine/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace {

constexpr std::string_view kNamePrefix = "casemate-";
constexpr std::int64_t kCpuPeriodUs = 100'000;

// Field 22 of /proc/PID/stat: with the pid it names one process for ever.
long long StartTimeOf(long long pid) {
  const std::string stat = ReadKernelFile(fmt::format("/proc/{}/stat", pid));
  std::size_t at = stat.rfind(')');
  if (at == std::string::npos) return -1;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at + 1);
    if (at == std::string::npos) return -1;
  }
  long long value = -1;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), value);
  return value;
}

std::string PidNamespaceId() {
  std::array<char, 64> link{};
  const ssize_t length = readlink("/proc/self/ns/pid", link.data(), link.size());
  const std::string_view text(link.data(), length > 0 ? static_cast<std::size_t>(length) : 0);  // "pid:[N]"
  if (text.size() < 7) return "0";
  return std::string(text.substr(5, text.size() - 6));
}

// "casemate-<pid namespace>-<pid>-<start time>-<serial>": whoever finds it later can tell whether its
// engine still lives.
std::string OwnerPrefix() {
  return fmt::format("{}{}-{}-{}-", kNamePrefix, PidNamespaceId(), getpid(), StartTimeOf(getpid()));
}

// Whether the engines live that folders name as their owners. An engine has a folder for each of its waiting
// cells in each hierarchy, so that each owner is looked up once.
class Owners {
 public:
  bool Lives(std::string_view name) {
    name.remove_prefix(kNamePrefix.size());
    // Another namespace's pids say nothing here: leave such a folder to its own.
    if (!name.starts_with(pid_namespace_ + "-")) return true;
    name.remove_prefix(pid_namespace_.size() + 1);
    const std::string_view owner = name.substr(0, name.rfind('-'));
    const auto known = lives_.find(owner);
    if (known != lives_.end()) return known->second;
    return lives_.emplace(owner, LooksAlive(owner)).first->second;
  }

 private:
  // "<pid>-<start time>"; what is not of this form is not ours to judge.
  static bool LooksAlive(std::string_view owner) {
    long long pid = -1;
    long long start = -1;
    const char* const last = owner.data() + owner.size();
    const auto [pid_end, pid_error] = std::from_chars(owner.data(), last, pid);
    if (pid_error != std::errc() || pid_end == last) return true;
    const auto [end, error] = std::from_chars(pid_end + 1, last, start);
    if (error != std::errc()) return true;
    return StartTimeOf(pid) == start;
  }

  std::string pid_namespace_ = PidNamespaceId();
  std::map<std::string, bool, std::less<>> lives_;
};

// Writes to a control file, in one write(2) as the kernel wants it.
Expected<void> WriteControl(const std::string& path, std::string_view value) {
  auto fd = OpenFile(path, O_WRONLY);
  if (!fd) return std::unexpected(fd.error());
  if (write(fd->get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return FailErrno(ErrorCode::kUnavailable, "the kernel refused the limit in " + path,
                     fmt::format("write {} to {}", value, path));
  }
  return {};
}

Expected<void> WriteControl(const std::string& path, std::int64_t value) {
  return WriteControl(path, fmt::format("{}", value));
}

std::int64_t ParseCount(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number after `key` in a text of lines "key number" (memory.events, cpu.stat, ...).
std::int64_t FindKey(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
      return ParseCount(line.substr(key.size() + 1));
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return 0;
}

std::int64_t ReadCount(const std::string& path) { return std::max(0LL, ReadKernelNumber(path)); }

Expected<void> LimitMemory(const std::string& folder, int version, std::int64_t bytes) {
  if (version == 2) {
    if (auto done = WriteControl(folder + "/memory.max", bytes); !done) return done;
    // All of the run dies together, init too: no half-killed program goes on.
    if (auto done = WriteControl(folder + "/memory.oom.group", 1); !done) return done;
    // Without swap accounting in the kernel there is no such file, and then no swap to turn off.
    if (!FileExists(folder + "/memory.swap.max")) return {};
    return WriteControl(folder + "/memory.swap.max", 0);
  }
  const std::string memory = folder + "/memory.limit_in_bytes";
  const std::string both = folder + "/memory.memsw.limit_in_bytes";
  if (!FileExists(both)) {
    if (auto done = WriteControl(memory, bytes); !done) return done;
    return WriteControl(folder + "/memory.swappiness", 0);
  }
  // The limit of memory and swap together is never the smaller one, also in between.
  const bool raised = bytes > ReadCount(both);
  if (auto done = WriteControl(raised ? both : memory, bytes); !done) return done;
  return WriteControl(raised ? memory : both, bytes);
}

Expected<void> LimitCpu(const std::string& folder, int version, double cpus) {
  // The kernel's smallest quota is 1 ms (kernel doc sched-bwc.rst).
  const auto quota = std::max<std::int64_t>(1000, std::llround(cpus * static_cast<double>(kCpuPeriodUs)));
  if (version == 2) return WriteControl(folder + "/cpu.max", fmt::format("{} {}", quota, kCpuPeriodUs));
  // The period is the kernel's default already: one write less.
  return WriteControl(folder + "/cpu.cfs_quota_us", quota);
}

// Folders whose last member was still dying when their run ended; the next run of this engine tries again.
class Leftovers {
 public:
  static void Add(std::vector<std::string> folders) {
    const std::lock_guard lock(Mutex());
    std::ranges::move(folders, std::back_inserter(Folders()));
  }
  static void Retry() {
    const std::lock_guard lock(Mutex());
    std::erase_if(Folders(),
                  [](const std::string& folder) { return rmdir(folder.c_str()) == 0 || errno == ENOENT; });
  }

 private:
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static std::vector<std::string>& Folders() {
    static std::vector<std::string> folders;
    return folders;
  }
};

}  // namespace

Expected<void> Cgroup::MakeFolder(CgroupController controller, const CgroupPlace& place,
                                  const std::string& name) {
  const std::string folder = place.parent + "/" + name;
  folder_of_[static_cast<std::size_t>(controller)] = folder;
  version_of_[static_cast<std::size_t>(controller)] = place.version;
  if (std::ranges::find(folders_, folder) != folders_.end()) return {};
  if (mkdir(folder.c_str(), 0755) != 0) {
    return FailErrno(ErrorCode::kUnavailable, "cannot make a cgroup in " + place.parent, "mkdir " + folder);
  }
  folders_.push_back(folder);
  if (place.version == 2) {
    auto fd = OpenFile(folder, O_RDONLY | O_DIRECTORY);
    if (!fd) return std::unexpected(fd.error());
    clone_fd_ = *std::move(fd);
    return {};
  }
  auto fd = OpenFile(folder + "/tasks", O_WRONLY);
  if (!fd) return std::unexpected(fd.error());
  task_fds_.push_back(*std::move(fd));
  return {};
}

Expected<void> Cgroup::WriteLimits(const CgroupHost& host, const Limits& limits) {
  const auto version = [&host](CgroupController controller) { return host.place(controller).version; };
  Expected<void> done;
  if (const int memory = version(CgroupController::kMemory); memory != 0) {
    done = LimitMemory(FolderOf(CgroupController::kMemory), memory, limits.memory_bytes);
  }
  if (done && version(CgroupController::kPids) != 0) {
    done = WriteControl(FolderOf(CgroupController::kPids) + "/pids.max", limits.processes_max);
  }
  if (const int cpu = version(CgroupController::kCpu); done && cpu != 0) {
    done = LimitCpu(FolderOf(CgroupController::kCpu), cpu, limits.cpus);
  }
  return done;
}

Expected<Cgroup> Cgroup::Create(const CgroupHost& host, const Limits& limits) {
  static std::atomic<unsigned> serial{0};
  const std::string name = OwnerPrefix() + std::to_string(serial.fetch_add(1));
  Leftovers::Retry();
  Cgroup cgroup;
  for (const CgroupController controller : kCgroupControllers) {
    const CgroupPlace& place = host.place(controller);
    if (place.version == 0) continue;
    if (auto made = cgroup.MakeFolder(controller, place, name); !made) return std::unexpected(made.error());
  }
  if (auto written = cgroup.WriteLimits(host, limits); !written) return std::unexpected(written.error());
  return cgroup;
}

Cgroup::~Cgroup() {
  if (!Remove(0)) Leftovers::Add(std::move(folders_));
}

Expected<std::vector<UniqueFd>> Cgroup::OpenEntrances() const {
  std::vector<UniqueFd> entrances;
  for (const std::string& folder : folders_) {
    const bool threads = FileExists(folder + "/tasks");
    auto fd = OpenFile(folder + (threads ? "/tasks" : "/cgroup.procs"), O_WRONLY);
    if (!fd) return std::unexpected(fd.error());
    entrances.push_back(*std::move(fd));
  }
  return entrances;
}

bool Cgroup::Renew() {
  // What a last user leaves charged for a while (page cache, objects of the kernel) would be the next one's
  // loss.
  constexpr std::int64_t kResidueMax = kMiB;
  if (!renewable()) return false;
  const std::string& pids = FolderOf(CgroupController::kPids);
  if (!pids.empty() && ReadCount(pids + "/pids.current") != 0) return false;
  const std::string& memory = FolderOf(CgroupController::kMemory);
  if (!memory.empty() && (ReadCount(memory + "/memory.usage_in_bytes") > kResidueMax ||
                          !WriteControl(memory + "/memory.max_usage_in_bytes", 0))) {
    return false;
  }
  const std::string& cpu = FolderOf(CgroupController::kCpuacct);
  if (!cpu.empty() && !WriteControl(cpu + "/cpuacct.usage", 0)) return false;
  // Its last user may have been killed for memory, or refused a process, after anybody looked.
  (void)Read();
  before_.memory_kills += last_.memory_kills;
  before_.process_refusals += last_.process_refusals;
  before_.processes_peak = Count(kPidsPeak, CgroupController::kPids, "pids.peak");
  last_ = {};
  return true;
}

void Cgroup::CloseEntrances() {
  clone_fd_.reset();
  task_fds_.clear();
}

std::string_view Cgroup::Text(Counter counter, CgroupController controller, std::string_view file) {
  CounterFile& kept = counter_files_[counter];
  if (kept.missing) return {};
  if (!kept.fd.valid()) {
    auto fd = OpenFile(fmt::format("{}/{}", FolderOf(controller), file), O_RDONLY);
    // A lack of descriptors is one of the moment, and must not blind the counter for all that follow.
    if (!fd) {
      kept.missing = fd.error().code == ErrorCode::kNotFound;
      return {};
    }
    kept.fd = *std::move(fd);
  }
  const ssize_t count = pread(kept.fd.get(), text_.data(), text_.size(), 0);
  return {text_.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

std::int64_t Cgroup::Count(Counter counter, CgroupController controller, std::string_view file) {
  return ParseCount(Text(counter, controller, file));
}

CgroupReading Cgroup::Read() {
  constexpr auto kMemory = CgroupController::kMemory;
  constexpr auto kPids = CgroupController::kPids;
  const auto version = [this](CgroupController controller) {
    return version_of_[static_cast<std::size_t>(controller)];
  };
  if (version(kMemory) == 2) {
    last_.memory_kills = FindKey(Text(kMemoryEvents, kMemory, "memory.events"), "oom_kill");
    last_.memory_peak_bytes = std::max({last_.memory_peak_bytes, Count(kMemoryPeak, kMemory, "memory.peak"),
                                        Count(kMemoryCurrent, kMemory, "memory.current")});
  } else if (version(kMemory) == 1) {
    last_.memory_kills = FindKey(Text(kMemoryEvents, kMemory, "memory.oom_control"), "oom_kill");
    last_.memory_peak_bytes = Count(kMemoryPeak, kMemory, "memory.max_usage_in_bytes");
    last_.memory_kills -= before_.memory_kills;
  }
  if (version(kPids) != 0) {
    last_.process_refusals =
        FindKey(Text(kPidsEvents, kPids, "pids.events"), "max") - before_.process_refusals;
    // It cannot be set back: below that of earlier users it says nothing of this one.
    const std::int64_t peak = Count(kPidsPeak, kPids, "pids.peak");
    last_.processes_peak = std::max({last_.processes_peak, peak > before_.processes_peak ? peak : 0,
                                     Count(kPidsCurrent, kPids, "pids.current")});
  }
  (void)ReadCpuTimeUs();
  return last_;
}

std::optional<std::int64_t> Cgroup::ReadCpuTimeUs() {
  constexpr auto kCpu = CgroupController::kCpuacct;
  const int version = version_of_[static_cast<std::size_t>(kCpu)];
  if (version == 0) return std::nullopt;
  last_.cpu_time_us = version == 2 ? FindKey(Text(kCpuUsage, kCpu, "cpu.stat"), "usage_usec")
                                   : Count(kCpuUsage, kCpu, "cpuacct.usage") / 1000;
  return last_.cpu_time_us;
}

void Cgroup::CloseCounters() {
  for (std::size_t counter = 0; counter < kCounters; ++counter) {
    if (counter != kCpuUsage) counter_files_.at(counter).fd.reset();
  }
}

void Cgroup::Kill() const {
  for (const std::string& folder : folders_) {
    if (FileExists(folder + "/cgroup.kill")) (void)WriteControl(folder + "/cgroup.kill", 1);
  }
}

bool Cgroup::Remove(std::int64_t wait_ms) {
  const Deadline deadline = Deadline::After(wait_ms);
  CloseEntrances();
  for (;;) {
    std::erase_if(folders_,
                  [](const std::string& folder) { return rmdir(folder.c_str()) == 0 || errno == ENOENT; });
    if (folders_.empty()) return true;
    if (deadline.Passed()) return false;
    usleep(200);  // the last member has been reaped; the kernel drops its reference a moment later
  }
}

CgroupGarbage RemoveStaleCgroups(const CgroupHost& host, std::int64_t wait_ms) {
  const Deadline deadline = Deadline::After(wait_ms);
  CgroupGarbage garbage;
  std::vector<std::string> parents;
  for (const CgroupController controller : kCgroupControllers) {
    const std::string& parent = host.place(controller).parent;
    if (!parent.empty() && std::ranges::find(parents, parent) == parents.end()) parents.push_back(parent);
  }
  Owners owners;
  for (const std::string& parent : parents) {
    DIR* folder = opendir(parent.c_str());
    if (folder == nullptr) continue;
    std::vector<std::string> stale;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
    while (const dirent* entry = readdir(folder)) {
      const std::string_view name = static_cast<const char*>(entry->d_name);
      if (name.starts_with(kNamePrefix) && !owners.Lives(name)) {
        stale.push_back(parent + "/" + std::string(name));
      }
    }
    closedir(folder);
    for (const std::string& path : stale) {
      (void)WriteControl(path + "/cgroup.kill", 1);
      int err = rmdir(path.c_str()) == 0 ? 0 : errno;
      for (; err == EBUSY && !deadline.Passed(); err = rmdir(path.c_str()) == 0 ? 0 : errno) usleep(1000);
      if (err == 0) {
        garbage.removed.push_back(path);
      } else if (err != ENOENT) {
        garbage.kept.push_back(path + ": " + ErrnoName(err));
      }
    }
  }
  return garbage;
}

}  // namespace casemate
