#include "confine/program_plan.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/resource.h>

#include <algorithm>

namespace casemate {
namespace {

constexpr std::string_view kPath = "/usr/local/bin:/usr/bin:/bin";

constexpr std::uint64_t kNoExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr std::uint64_t kExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

}  // namespace

std::string SearchPath(const EnvironmentView& environment) {
  const std::size_t slash = environment.python.rfind('/');
  if (slash == std::string::npos) return std::string(kPath);
  const std::string folder = environment.python.substr(0, slash);
  if ((":" + std::string(kPath) + ":").find(":" + folder + ":") != std::string::npos)
    return std::string(kPath);
  return folder + ":" + std::string(kPath);
}

std::vector<std::string> ExecCandidates(const std::string& command, std::string_view search_path,
                                        const std::string& working_dir) {
  if (command.starts_with('/')) return {command};
  if (command.find('/') != std::string::npos) return {working_dir + "/" + command};
  std::vector<std::string> candidates;
  while (!search_path.empty()) {
    const std::size_t end = std::min(search_path.find(':'), search_path.size());
    if (end > 0) candidates.push_back(std::string(search_path.substr(0, end)) + "/" + command);
    search_path.remove_prefix(std::min(end + 1, search_path.size()));
  }
  return candidates;
}

std::vector<ResourceLimit> CommonLimits() {
  // 1, not 0: core(5) ignores the limit for a handler after "|" in core_pattern, and only 1 keeps that from
  // being started, on the host, with root's rights, for each crash in a sandbox.
  return {{RLIMIT_CORE, {1, 1}}, {RLIMIT_NICE, {0, 0}}, {RLIMIT_RTPRIO, {0, 0}}};
}

std::vector<ResourceLimit> EachProcessLimits(const Policy& policy) {
  std::vector<ResourceLimit> all;
  const Limits& limits = policy.limits;
  const auto set = [&all](int resource, std::int64_t soft, std::int64_t hard) {
    all.push_back({resource, {static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)}});
  };
  set(RLIMIT_NOFILE, limits.open_files_max, limits.open_files_max);
  // A workspace on the host's disk is not bounded by the tmpfs.
  if (limits.file_bytes_max || !policy.writes_host_folder) {
    const std::int64_t bytes =
        limits.file_bytes_max.value_or(limits.tmp_bytes + kMiB);  // the tmpfs is full first
    set(RLIMIT_FSIZE, bytes, bytes);
  }
  // The engine watches CPU time more closely; this holds for each process even if it did not.
  const std::int64_t cpu_seconds = (CpuTimeMs(limits) + 999) / 1000 + 1;
  set(RLIMIT_CPU, cpu_seconds, cpu_seconds + 1);
  return all;
}

ResourceLimit PrivateMemoryLimit(const Limits& limits) {
  const auto bytes = static_cast<rlim_t>(limits.memory_bytes + kUntouchedBytes);
  return {RLIMIT_DATA, {bytes, bytes}};
}

IdSource IdsFor(const IdSource& source, const Policy& policy) {
  if (!policy.writes_host_folder || source.kind != IdSource::Kind::kNewuidmap) return source;
  IdSource own;
  own.why_not = "a host folder that the program may write needs the caller's own user id";
  own.remedy = "use the workspace mode `copy` and collect the files, or run as root";
  return own;
}

ScratchPlan PlanScratch(const Limits& limits, bool own_workspace, bool code) {
  ScratchPlan scratch;
  scratch.views.push_back({"shm", "dev/shm", kNoExec, 01777});
  if (own_workspace) scratch.views.push_back({"workspace", "workspace", kExec, 0755});
  if (code) scratch.views.push_back({"code", "code", kNoExec | MOUNT_ATTR_RDONLY, 0755});
  // Last: it covers the file system's own root (confine/root.cc).
  scratch.views.push_back({"tmp", "tmp", kNoExec, 01777});
  // Our own folders, and the program's text, are not the program's files.
  const auto own = code ? kWarmScratchFolders : static_cast<std::int64_t>(scratch.views.size() + 1);
  scratch.options =
      fmt::format("mode=755,size={},nr_inodes={}", limits.tmp_bytes, limits.tmp_files_max + own);
  return scratch;
}

std::map<std::string, std::string> ProgramEnvironment(const LaunchSpec& spec) {
  std::map<std::string, std::string> env{
      {"PATH", SearchPath(spec.environment)}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}, {"TMPDIR", "/tmp"}};
  for (const auto& [name, value] : spec.environment.variables) env[name] = value;
  for (const auto& [name, value] : spec.env) env[name] = value;
  return env;
}

}  // namespace casemate
