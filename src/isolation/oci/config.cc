#include "isolation/oci/config.h"

#include <sys/resource.h>

#include <array>
#include <cmath>
#include <utility>

#include "confine/id_pool.h"
#include "confine/program_plan.h"
#include "confine/seccomp_filter.h"
#include "confine/seccomp_standalone.h"
#include "model/json.h"
#include "model/json_writer.h"

namespace casemate::oci {
namespace {

constexpr std::int64_t kCpuPeriodUs = 100'000;

constexpr std::array<std::pair<int, const char*>, 8> kLimitNames = {{
    {RLIMIT_CORE, "RLIMIT_CORE"},
    {RLIMIT_NICE, "RLIMIT_NICE"},
    {RLIMIT_RTPRIO, "RLIMIT_RTPRIO"},
    {RLIMIT_NOFILE, "RLIMIT_NOFILE"},
    {RLIMIT_FSIZE, "RLIMIT_FSIZE"},
    {RLIMIT_CPU, "RLIMIT_CPU"},
    {RLIMIT_NPROC, "RLIMIT_NPROC"},
    {RLIMIT_DATA, "RLIMIT_DATA"},
}};

// What tells of the host in a /proc of its own kernel (runc's own defaults).
constexpr std::array kMaskedPaths = {
    "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"};
constexpr std::array kReadOnlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};
constexpr std::array kNamespaces = {"pid", "mount", "network", "ipc", "uts", "user"};
constexpr std::array kCapabilitySets = {"bounding", "effective", "inheritable", "permitted", "ambient"};

// gVisor answers EPERM whatever errno a rule names, and the C library falls back from clone3 for ENOSYS
// alone. What is refused so, because a filter cannot see into memory, is left to its own kernel, which can.
std::string SeccompFor(const Config& config) {
  constexpr std::string_view kUnknown = "\"SCMP_ACT_ERRNO\",\"errnoRet\":38}";  // ENOSYS
  std::string text(ContainerSeccompOci());
  if (config.network) text.insert(text.rfind(']'), OciSocketRules());
  if (config.kind != RuntimeKind::kRunsc) return text;
  for (std::size_t at = text.find(kUnknown); at != std::string::npos; at = text.find(kUnknown, at + 1))
    text.replace(at, kUnknown.size(), "\"SCMP_ACT_ALLOW\"}");
  return text;
}

class Writer {
 public:
  explicit Writer(const Config& config) : config_(config) {}

  std::string Write() {
    json_.BeginObject();
    json_.Field("ociVersion", "1.0.2");
    Process();
    json_.Key("root");
    json_.BeginObject();
    json_.Field("path", "rootfs");
    json_.Field("readonly", true);
    json_.EndObject();
    json_.Field("hostname", kSandboxHostName);
    Mounts();
    Linux();
    json_.EndObject();
    return std::move(json_).Take();
  }

 private:
  template <typename Texts>
  void List(std::string_view name, const Texts& texts) {
    json_.Key(name);
    json_.BeginArray();
    for (const auto& text : texts) json_.String(text);
    json_.EndArray();
  }

  void Process() {
    json_.Key("process");
    json_.BeginObject();
    json_.Field("terminal", false);
    json_.Key("user");
    json_.BeginObject();
    json_.Field("uid", InsideId());
    json_.Field("gid", InsideId());
    json_.Field("umask", 022);
    json_.EndObject();
    List("args", config_.args);
    json_.Key("env");
    json_.BeginArray();
    for (const auto& [name, value] : config_.env) json_.String(name + "=" + value);
    json_.EndArray();
    json_.Field("cwd", config_.working_dir);
    json_.Key("capabilities");
    json_.BeginObject();
    for (const char* set : kCapabilitySets) List(set, std::array<const char*, 0>());
    json_.EndObject();
    json_.Key("rlimits");
    json_.BeginArray();
    for (const ResourceLimit& limit : config_.resource_limits) OneLimit(limit);
    json_.EndArray();
    json_.Field("noNewPrivileges", true);
    json_.EndObject();
  }

  void OneLimit(const ResourceLimit& limit) {
    for (const auto& [resource, name] : kLimitNames) {
      if (resource != limit.resource) continue;
      json_.BeginObject();
      json_.Field("type", name);
      json_.Field("soft", limit.value.rlim_cur);
      json_.Field("hard", limit.value.rlim_max);
      json_.EndObject();
    }
  }

  void Mounts() {
    json_.Key("mounts");
    json_.BeginArray();
    for (const ConfigMount& mount : config_.mounts) {
      json_.BeginObject();
      json_.Field("destination", mount.destination);
      json_.Field("type", mount.type);
      json_.Field("source", mount.source);
      List("options", mount.options);
      json_.EndObject();
    }
    json_.EndArray();
  }

  bool OneId() const { return config_.root_id == config_.program_id; }
  uid_t InsideId() const { return OneId() ? 0 : kProgramId; }

  void IdPair(uid_t inside, uid_t outside) {
    json_.BeginObject();
    json_.Field("containerID", inside);
    json_.Field("hostID", outside);
    json_.Field("size", 1);
    json_.EndObject();
  }

  void IdMap(std::string_view name) {
    json_.Key(name);
    json_.BeginArray();
    IdPair(0, config_.root_id);
    if (!OneId()) IdPair(kProgramId, config_.program_id);
    json_.EndArray();
  }

  // A runtime that may not touch cgroups refuses to be asked for them.
  void Resources() {
    if (config_.kind != RuntimeKind::kRunsc) return;
    json_.Key("resources");
    json_.BeginObject();
    json_.Key("memory");
    json_.BeginObject();
    json_.Field("limit", config_.limits.memory_bytes);
    json_.EndObject();
    json_.Key("pids");
    json_.BeginObject();
    json_.Field("limit", config_.limits.processes_max);
    json_.EndObject();
    json_.Key("cpu");
    json_.BeginObject();
    json_.Field("quota", std::llround(config_.limits.cpus * static_cast<double>(kCpuPeriodUs)));
    json_.Field("period", kCpuPeriodUs);
    json_.EndObject();
    json_.EndObject();
  }

  // Our own text, which is JSON by the tool that wrote it.
  void Seccomp() {
    if (config_.init_filters) return;
    json_.Key("seccomp");
    if (const auto seccomp = ParseJson(SeccompFor(config_))) json_.Raw(*seccomp);
  }

  void Linux() {
    json_.Key("linux");
    json_.BeginObject();
    json_.Key("namespaces");
    json_.BeginArray();
    for (const char* name : kNamespaces) {
      json_.BeginObject();
      json_.Field("type", name);
      json_.EndObject();
    }
    json_.EndArray();
    IdMap("uidMappings");
    IdMap("gidMappings");
    Resources();
    Seccomp();
    List("maskedPaths", kMaskedPaths);
    List("readonlyPaths", kReadOnlyPaths);
    json_.EndObject();
  }

  const Config& config_;
  JsonWriter json_;
};

}  // namespace

std::string WriteConfig(const Config& config) { return Writer(config).Write(); }

}  // namespace casemate::oci
