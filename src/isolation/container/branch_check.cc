#include "isolation/container/branch_check.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "confine/syscalls.h"
#include "isolation/container/family_listener.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kEndMs = 1000;

// The text behind "Name:" in /proc/PID/status, without the space before it.
std::string_view FieldOf(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(fmt::format("\n{}:", name));
  if (at == std::string_view::npos) return {};
  std::string_view line = status.substr(at + name.size() + 2);
  line = line.substr(0, line.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return line;
}

int NumberIn(std::string_view text) {
  int number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool SameFile(const std::string& path, int fd) {
  struct stat one {};
  struct stat other {};
  return stat(path.c_str(), &one) == 0 && fstat(fd, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// A process has left the memory that it had a moment before it has its new program's: the kernel wakes who
// waits for that before it gives it the new one (exec_mmap in fs/exec.c).
bool BecomesReaper(pid_t init, int reaper) {
  constexpr std::int64_t kPatienceMs = 1000;
  const std::string path = fmt::format("/proc/{}/exe", init);
  const Deadline deadline = Deadline::After(kPatienceMs);
  while (!SameFile(path, reaper)) {
    if (deadline.Passed()) return false;
    usleep(100);
  }
  return true;
}

// By fdinfo, which whoever may trace a process may list: "fd" is its owner's alone, and an ordinary user's
// engine is not the owner of a process with a subordinate id.
bool HasDescriptors(pid_t pid) {
  DIR* const folder = opendir(fmt::format("/proc/{}/fdinfo", pid).c_str());
  if (folder == nullptr) return true;
  int entries = 0;
  while (readdir(folder) != nullptr) ++entries;  // NOLINT(concurrency-mt-unsafe): a stream of its own
  closedir(folder);
  return entries != 2;  // . and ..
}

// A line of /proc/PID/maps (proc(5)): memory that others may see change. What is mapped from the read-only
// root can be changed by nobody.
bool IsSharedMemory(std::string_view line, dev_t scratch) {
  const std::size_t modes = line.find(' ') + 1;
  if (modes == 0 || line.size() < modes + 4 || line[modes + 3] != 's') return false;
  if (line[modes + 1] == 'w' || line.ends_with(" (deleted)")) return true;
  const std::string device = fmt::format(" {:02x}:{:02x} ", major(scratch), minor(scratch));
  return line.contains(device);
}

bool HasSharedMemory(pid_t pid, int scratch) {
  struct stat info {};
  auto maps = ReadFile(fmt::format("/proc/{}/maps", pid), std::size_t{64} << 20);
  if (fstat(scratch, &info) != 0 || !maps || maps->empty()) return true;
  for (std::string_view left = *maps; !left.empty();) {
    const std::size_t end = left.find('\n');
    if (IsSharedMemory(left.substr(0, end), info.st_dev)) return true;
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
  }
  return false;
}

std::string WhyPowerful(const std::string& status) {
  for (const std::string_view set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    if (FieldOf(status, set) != "0000000000000000") return fmt::format("it has capabilities ({})", set);
  }
  if (FieldOf(status, "NoNewPrivs") != "1" || FieldOf(status, "Seccomp") != "2") return "it has no filter";
  if (FieldOf(status, "Threads") != "1") return "it has several threads";
  return "";
}

bool SameIds(const std::string& one, const std::string& other) {
  return !FieldOf(one, "Uid").empty() && FieldOf(one, "Uid") == FieldOf(other, "Uid") &&
         FieldOf(one, "Gid") == FieldOf(other, "Gid");
}

void AddChildren(const std::string& file, std::vector<pid_t>& all) {
  const std::string text = ReadKernelFile(file);
  for (const char* at = text.c_str();;) {
    char* end = nullptr;
    const long child = std::strtol(at, &end, 10);
    if (end == at) return;
    all.push_back(static_cast<pid_t>(child));
    at = end;
  }
}

// The children of all threads of a process, here.
std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> all;
  const std::string folder = fmt::format("/proc/{}/task", pid);
  DIR* const tasks = opendir(folder.c_str());
  if (tasks == nullptr) return all;
  while (const dirent* task = readdir(tasks)) {  // NOLINT(concurrency-mt-unsafe): a stream of its own
    if (task->d_name[0] == '.') continue;
    AddChildren(fmt::format("{}/{}/children", folder, std::string_view(task->d_name)), all);
  }
  closedir(tasks);
  return all;
}

// The same of one that has one thread.
std::vector<pid_t> ChildrenOfSingle(pid_t pid) {
  std::vector<pid_t> all;
  AddChildren(fmt::format("/proc/{0}/task/{0}/children", pid), all);
  return all;
}

// Everything below `pid`, but what is `kept` and what is below that.
std::vector<pid_t> Gather(pid_t pid, std::span<const pid_t> kept) {
  std::vector<pid_t> found;
  for (std::vector<pid_t> left = ChildrenOf(pid); !left.empty();) {
    const pid_t child = left.back();
    left.pop_back();
    if (std::ranges::find(kept, child) != kept.end()) continue;
    found.push_back(child);
    std::ranges::copy(ChildrenOf(child), std::back_inserter(left));
  }
  return found;
}

// Kills `pid` if it is (still) in one of these pid namespaces, and returns its pidfd.
UniqueFd KillMember(pid_t pid, const std::vector<std::uint64_t>& pid_namespaces) {
  UniqueFd pidfd(PidfdOpen(pid));
  // Opened first: were the number another's by now, its namespace would be another one too.
  if (!pidfd.valid() || std::ranges::find(pid_namespaces, PidNamespaceOf(pid)) == pid_namespaces.end())
    return UniqueFd();
  PidfdSendSignal(pidfd.get(), SIGKILL);
  return pidfd;
}

}  // namespace

std::string StatusOf(pid_t pid) { return ReadKernelFile(fmt::format("/proc/{}/status", pid)); }

pid_t ParentIn(const std::string& status) { return NumberIn(FieldOf(status, "PPid")); }

int ThreadsIn(const std::string& status) { return NumberIn(FieldOf(status, "Threads")); }

int InnermostPidIn(const std::string& status) {
  const std::string_view numbers = FieldOf(status, "NSpid");
  const std::size_t last = numbers.find_last_of(" \t");
  return NumberIn(last == std::string_view::npos ? numbers : numbers.substr(last + 1));
}

std::string WhyNoBranch(pid_t program, int scratch, int workspace) {
  if (HasSharedMemory(program, scratch)) {
    return "the session has memory that is shared with others (multiprocessing, mmap with MAP_SHARED), which "
           "a "
           "copy would share too: delete it first";
  }
  struct stat own {};
  struct stat work {};
  struct statvfs flags {};
  if (fstat(scratch, &own) != 0 || fstat(workspace, &work) != 0 || fstatvfs(workspace, &flags) != 0)
    return "its files cannot be looked at";
  if (own.st_dev != work.st_dev && (flags.f_flag & ST_RDONLY) == 0) {
    return "its workspace is a host folder that it may write to, which cannot be copied: open the session "
           "with "
           "workspace mode \"copy\"";
  }
  return "";
}

std::string WhyNoCopy(const WaitingProcess& copy, const BranchExpected& expected) {
  const std::string status = StatusOf(copy.pid);
  const std::string init_status = StatusOf(copy.init);
  if (std::string why = WhyPowerful(status); !why.empty()) return why;
  if (!SameIds(status, expected.origin_status)) return "it has other ids";
  // Each has one thread, whose children are all that it has.
  if (InnermostPidIn(status) != 2 || InnermostPidIn(init_status) != 1 || ThreadsIn(init_status) != 1 ||
      ParentIn(status) != copy.init || ChildrenOfSingle(copy.init) != std::vector{copy.pid} ||
      !ChildrenOfSingle(copy.pid).empty()) {
    return "it is not alone";
  }
  if (PidNamespaceOf(copy.pid) != PidNamespaceOf(copy.init)) return "it is elsewhere";
  if (!BecomesReaper(copy.init, expected.reaper)) return "its pid 1 is not the reaper";
  if (HasDescriptors(copy.pid)) return "it has descriptors";
  if (!SameFile(fmt::format("/proc/{}/cwd", copy.pid), expected.workspace))
    return "its working folder is not its own";
  if (HasSharedMemory(copy.pid, expected.origin_scratch)) return "it shares memory";
  return "";
}

bool ShareMemory(pid_t one, pid_t other) {
  const long order = syscall(SYS_kcmp, one, other, KCMP_VM, 0, 0);
  return order != 1 && order != 2 && order != 3;
}

bool EndAllBut(pid_t init, std::span<const pid_t> kept, pid_t parked) {
  // A child of a new pid 1 may be in its namespace and yet a child of the origin (CLONE_PARENT).
  std::vector<std::uint64_t> pid_namespaces{PidNamespaceOf(init)};
  for (const pid_t pid : kept) pid_namespaces.push_back(PidNamespaceOf(pid));
  if (std::ranges::find(pid_namespaces, 0U) != pid_namespaces.end()) return false;
  const Deadline deadline = Deadline::After(kEndMs);
  if (parked > 0 && !KillMember(parked, pid_namespaces).valid()) return false;
  // Two looks in a row without anybody: a list of children that change may leave one out, but not both times,
  // since the children of a dead one become those of pid 1.
  for (int clean = 0; clean < 2;) {
    if (deadline.Passed()) return false;
    std::vector<pid_t> found = Gather(init, kept);
    std::erase(found, parked);
    clean = found.empty() ? clean + 1 : 0;
    std::vector<UniqueFd> dying;
    for (const pid_t pid : found) {
      UniqueFd pidfd = KillMember(pid, pid_namespaces);
      if (pidfd.valid()) dying.push_back(std::move(pidfd));
    }
    for (const UniqueFd& pidfd : dying) {
      pollfd gone{pidfd.get(), POLLIN, 0};
      (void)poll(&gone, 1, static_cast<int>(deadline.RemainingMs()));
    }
  }
  return true;
}

}  // namespace casemate::container
