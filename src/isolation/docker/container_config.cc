#include "isolation/docker/container_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "confine/seccomp_standalone.h"
#include "isolation/docker/image.h"
#include "model/json_writer.h"

namespace casemate {
namespace embedded {
std::string_view DockerSeccomp(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace docker {
namespace {

constexpr const char* kUser = "1000:1000";
constexpr const char* kHostName = "sandbox";
constexpr int kOomScoreAdj = 500;
// Above the numbers of the program's channels; the attendant lowers it for the program.
constexpr std::int64_t kAttendantFiles = 2048;
// Room for folders and rounding beside what is put below /casemate.
constexpr std::int64_t kOwnSlackBytes = 256 * kKiB;
constexpr std::int64_t kOwnFiles = 4096;
// The smallest that runc can start in.
constexpr std::int64_t kMemoryBytesMin = 6 * kMiB;

// Docker's own list, and what else tells of the host: its hardware, its kernel, its other processes.
constexpr std::array kMasked = {"/proc/acpi",
                                "/proc/asound",
                                "/proc/kcore",
                                "/proc/keys",
                                "/proc/latency_stats",
                                "/proc/timer_list",
                                "/proc/timer_stats",
                                "/proc/sched_debug",
                                "/proc/scsi",
                                "/proc/interrupts",
                                "/proc/modules",
                                "/proc/sysrq-trigger",
                                "/proc/pressure",
                                "/proc/kallsyms",
                                "/proc/key-users",
                                "/proc/iomem",
                                "/proc/ioports",
                                "/proc/cmdline",
                                "/proc/config.gz",
                                "/proc/diskstats",
                                "/proc/partitions",
                                "/proc/bus",
                                "/proc/swaps",
                                "/proc/locks",
                                "/proc/cgroups",
                                "/proc/sys/kernel/random/boot_id",
                                "/sys"};
constexpr std::array kReadOnly = {"/proc/fs", "/proc/irq", "/proc/sys"};

struct Bind {
  std::string source;
  std::string target;
  bool writable;
};

std::vector<Bind> BindsOf(const LaunchSpec& spec) {
  std::vector<Bind> binds;
  if (spec.workspace && spec.workspace->mode != WorkspaceMode::kCopy) {
    binds.push_back(
        {spec.workspace->host_path, "/workspace", spec.workspace->mode == WorkspaceMode::kReadWrite});
  }
  for (const HostMount& mount : spec.mounts)
    binds.push_back({mount.host_path, mount.inside_path, mount.writable});
  return binds;
}

// Mount point -> options of tmpfs(5).
std::map<std::string, std::string> TmpfsOf(const LaunchSpec& spec) {
  const Limits& limits = spec.policy.limits;
  const std::string size =
      fmt::format("size={},nr_inodes={},nosuid,nodev", limits.tmp_bytes, limits.tmp_files_max + 1);
  std::int64_t own = kOwnSlackBytes;
  for (const RootFile& file : spec.root_files) own += static_cast<std::int64_t>(file.bytes.size()) + 4096;
  for (const ResolvedSecret& secret : spec.secrets)
    own += static_cast<std::int64_t>(secret.value->size()) + 4096;
  // In steps: what is ready for one program fits the next.
  own = (own + kMiB - 1) / kMiB * kMiB;
  std::map<std::string, std::string> all{
      {"/tmp", size + ",noexec,mode=1777"},
      {"/dev/shm", size + ",noexec,mode=1777"},
      {"/casemate",
       fmt::format("size={},nr_inodes={},nosuid,nodev,noexec,mode=0755,uid=1000,gid=1000", own, kOwnFiles)}};
  const bool own_workspace = !spec.workspace || spec.workspace->mode == WorkspaceMode::kCopy;
  if (own_workspace) all["/workspace"] = size + ",exec,mode=0755,uid=1000,gid=1000";
  return all;
}

struct Ulimit {
  const char* name;
  std::int64_t soft;
  std::int64_t hard;
};

std::vector<Ulimit> UlimitsOf(const LaunchSpec& spec) {
  const Limits& limits = spec.policy.limits;
  // 1, not 0: as in confine/program_plan.cc.
  std::vector<Ulimit> all{{"core", 1, 1},
                          {"nofile", kAttendantFiles, std::max(kAttendantFiles, limits.open_files_max)},
                          {"memlock", 65536, 65536},
                          {"rtprio", 0, 0},
                          {"nice", 0, 0}};
  all[1].soft = all[1].hard;
  return all;
}

std::int64_t MemoryOf(const LaunchSpec& spec) {
  return std::max(spec.policy.limits.memory_bytes, kMemoryBytesMin);
}

std::int64_t NanoCpusOf(const LaunchSpec& spec, const HostFacts& host) {
  constexpr double kBillion = 1e9;
  return static_cast<std::int64_t>(std::clamp(spec.policy.limits.cpus, 0.01, static_cast<double>(host.cpus)) *
                                   kBillion);
}

void WriteStrings(JsonWriter& json, std::string_view key, const auto& values) {
  json.Key(key);
  json.BeginArray();
  for (const auto& value : values) json.String(value);
  json.EndArray();
}

void WriteHostConfig(const LaunchSpec& spec, const HostFacts& host, JsonWriter& json) {
  json.Key("HostConfig");
  json.BeginObject();
  json.Field("Memory", MemoryOf(spec));
  json.Field("MemorySwap", MemoryOf(spec));
  json.Field("NanoCpus", NanoCpusOf(spec, host));
  json.Field("PidsLimit", spec.policy.limits.processes_max);
  json.Field("OomScoreAdj", kOomScoreAdj);
  json.Field("ReadonlyRootfs", true);
  json.Field("Privileged", false);
  json.Field("AutoRemove", true);
  json.Field("NetworkMode", "none");
  json.Field("IpcMode", "none");
  json.Field("CgroupnsMode", "private");
  WriteStrings(json, "CapDrop", std::array{"ALL"});
  WriteStrings(
      json, "SecurityOpt",
      std::array{std::string("no-new-privileges"), "seccomp=" + SeccompProfile(spec.policy.network)});
  WriteStrings(json, "MaskedPaths", kMasked);
  WriteStrings(json, "ReadonlyPaths", kReadOnly);
  json.Key("Tmpfs");
  json.BeginObject();
  for (const auto& [path, options] : TmpfsOf(spec)) json.Field(path, options);
  json.EndObject();
  json.Key("Mounts");
  json.BeginArray();
  for (const Bind& bind : BindsOf(spec)) {
    json.BeginObject();
    json.Field("Type", "bind");
    json.Field("Source", bind.source);
    json.Field("Target", bind.target);
    json.Field("ReadOnly", !bind.writable);
    json.EndObject();
  }
  json.EndArray();
  json.Key("Ulimits");
  json.BeginArray();
  for (const Ulimit& limit : UlimitsOf(spec)) {
    json.BeginObject();
    json.Field("Name", limit.name);
    json.Field("Soft", limit.soft);
    json.Field("Hard", limit.hard);
    json.EndObject();
  }
  json.EndArray();
  json.Key("LogConfig");
  json.BeginObject();
  json.Field("Type", "none");
  json.EndObject();
  if (!host.runtime.empty()) json.Field("Runtime", host.runtime);
  json.EndObject();
}

std::string_view Profile() {
#if defined(__x86_64__)
  return embedded::DockerSeccomp("seccomp_container_x86_64.json");
#else
  return embedded::DockerSeccomp("seccomp_container_aarch64.json");
#endif
}

}  // namespace

std::string SeccompProfile(const NetworkPolicy& network) {
  std::string profile(Profile());
  // Behind the last of its rules.
  if (network.open()) profile.insert(profile.rfind(']'), OciSocketRules());
  return profile;
}

Expected<std::string> ContainerConfig(const LaunchSpec& spec, const HostFacts& host, const std::string& image,
                                      const std::string& owner, const std::string& run) {
  if (!host.local && !BindsOf(spec).empty()) {
    return Fail(
        ErrorCode::kUnavailable,
        "the Docker Engine is on another host and cannot see a folder of this one: use the workspace mode "
        "`copy`, or give files with --file");
  }
  JsonWriter json;
  json.BeginObject();
  json.Field("Image", image);
  json.Field("Hostname", kHostName);
  json.Field("User", kUser);
  json.Field("WorkingDir", "/");
  WriteStrings(json, "Entrypoint", std::array{kAttendantPath});
  WriteStrings(json, "Cmd", std::array<std::string, 0>());
  for (const char* name : {"AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce"})
    json.Field(name, true);
  json.Field("Tty", false);
  json.Field("NetworkDisabled", true);
  json.Field("StopSignal", "SIGKILL");
  json.Key("Labels");
  json.BeginObject();
  json.Field(kRunLabel, run);
  json.Field(kOwnerLabel, owner);
  json.EndObject();
  WriteHostConfig(spec, host, json);
  json.EndObject();
  return std::move(json).Take();
}

std::vector<std::string> DockerRunWords(const LaunchSpec& spec, const HostFacts& host,
                                        const std::string& image, const std::string& seccomp_file) {
  std::vector<std::string> words{"docker", "run", "--rm", "-i"};
  const auto add = [&words](std::string flag, std::string value) {
    words.push_back(std::move(flag));
    words.push_back(std::move(value));
  };
  if (!host.runtime.empty()) add("--runtime", host.runtime);
  add("--memory", std::to_string(MemoryOf(spec)));
  add("--memory-swap", std::to_string(MemoryOf(spec)));
  add("--cpus", fmt::format("{:g}", static_cast<double>(NanoCpusOf(spec, host)) / 1e9));
  add("--pids-limit", std::to_string(spec.policy.limits.processes_max));
  add("--oom-score-adj", std::to_string(kOomScoreAdj));
  words.emplace_back("--read-only");
  add("--network", "none");
  add("--ipc", "none");
  add("--cgroupns", "private");
  add("--cap-drop", "ALL");
  add("--security-opt", "no-new-privileges");
  add("--security-opt", "seccomp=" + seccomp_file);
  add("--hostname", kHostName);
  add("--user", kUser);
  add("--log-driver", "none");
  add("--stop-signal", "SIGKILL");
  for (const auto& [path, options] : TmpfsOf(spec)) add("--tmpfs", path + ":" + options);
  for (const Bind& bind : BindsOf(spec)) {
    add("--mount", fmt::format("type=bind,source={},target={}{}", bind.source, bind.target,
                               bind.writable ? "" : ",readonly"));
  }
  for (const Ulimit& limit : UlimitsOf(spec))
    add("--ulimit", fmt::format("{}={}:{}", limit.name, limit.soft, limit.hard));
  words.push_back(image);
  for (const std::string& word : spec.argv) words.push_back(word);
  return words;
}

}  // namespace docker
}  // namespace casemate
