#include "isolation/oci/runtime.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/command.h"
#include "base/file.h"

namespace casemate::oci {
namespace {

constexpr std::string_view kMoreFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kCacheBytesMax = 4096;

struct Names {
  std::string_view name;
  const char* variable;
  std::string_view command;
  std::string_view remedy;
};

const Names& NamesOf(RuntimeKind kind) {
  static constexpr std::array<Names, 4> kNames = {{
      {"crun", "CASEMATE_CRUN", "crun", "as root: apt-get install crun"},
      {"runc", "CASEMATE_RUNC", "runc", "as root: apt-get install runc"},
      {"runsc", "CASEMATE_RUNSC", "runsc", "install gVisor's runsc (tools/fetch_runsc builds it)"},
      {"kata", "CASEMATE_KATA", "kata-runtime", "install Kata Containers"},
  }};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value == nullptr ? "" : value;
}

std::string FindExecutable(const Names& names) {
  std::string wanted = Variable(names.variable);
  if (!wanted.empty()) return access(wanted.c_str(), X_OK) == 0 ? wanted : "";
  const std::string folders = Variable("PATH") + ":" + std::string(kMoreFolders);
  std::string_view left = folders;
  while (!left.empty()) {
    const std::string_view folder = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(folder.size() + 1, left.size()));
    if (!folder.starts_with('/')) continue;
    std::string path = fmt::format("{}/{}", folder, names.command);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

bool MayUseKvm() { return access("/dev/kvm", R_OK | W_OK) == 0; }

// What tells this very executable from one that was installed over it.
std::string Identity(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return "";
  return fmt::format("{} {} {}.{:09} {} {}", path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                     info.st_ino, MayUseKvm() ? "kvm" : "");
}

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

bool ReadCache(const std::string& file, const std::string& identity, Runtime& runtime) {
  const auto text = ReadFile(file, kCacheBytesMax);
  if (!text) return false;
  std::string_view left = *text;
  if (TakeLine(left) != identity) return false;
  runtime.version = TakeLine(left);
  runtime.platform = TakeLine(left);
  return true;
}

std::unexpected<Error> Unusable(const Names& names, const std::string& path, std::string_view why,
                                const std::string& cause = "") {
  return Fail(ErrorCode::kUnavailable, fmt::format("{} {}; {}", path, why, names.remedy), cause);
}

// Asks the runtime itself.
Expected<void> Ask(Runtime& runtime, const Trial& trial) {
  const Names& names = NamesOf(runtime.kind);
  auto version = RunCommand({runtime.path, "--version"});
  if (!version || version->exit_code != 0) {
    return Unusable(names, runtime.path, "does not tell its version, so it is no working OCI runtime");
  }
  runtime.version = ParseVersion(version->out);
  if (runtime.kind != RuntimeKind::kRunsc) {
    if (runtime.kind == RuntimeKind::kKata) return {};
    const auto started = trial(runtime);
    if (started) return {};
    return Unusable(names, runtime.path, fmt::format("({}) starts no sandbox here", runtime.version),
                    started.error().ToString());
  }
  auto help = RunCommand({runtime.path, "help", "run"});
  if (!help || (help->out + help->err).find("-pass-fd") == std::string::npos) {
    return Unusable(names, runtime.path,
                    fmt::format("({}) cannot pass descriptors into a sandbox: a version of 2023 or later can",
                                runtime.version));
  }
  auto flags = RunCommand({runtime.path, "flags"});
  if (!flags) return std::unexpected(flags.error());
  std::string cause;
  for (std::string& platform : ListPlatforms(flags->out + flags->err, MayUseKvm())) {
    runtime.platform = std::move(platform);
    const auto started = trial(runtime);
    if (started) return {};
    cause = started.error().ToString();
  }
  return Unusable(names, runtime.path, "starts no sandbox here, on any of its platforms", cause);
}

}  // namespace

std::string_view RuntimeName(RuntimeKind kind) { return NamesOf(kind).name; }

Tier TierOf(RuntimeKind kind) {
  switch (kind) {
    case RuntimeKind::kCrun:
    case RuntimeKind::kRunc:
      return Tier::kContainer;
    case RuntimeKind::kRunsc:
      return Tier::kGvisor;
    case RuntimeKind::kKata:
      return Tier::kMicrovm;
  }
  std::unreachable();
}

std::string Runtime::Describe() const {
  std::string text = fmt::format("{} {}", RuntimeName(kind), version);
  if (!platform.empty()) text += ", platform " + platform;
  return text;
}

std::string ParseVersion(std::string_view text) {
  // "runsc version release-20260101.0", "crun version 1.8.1", "kata-runtime  : 3.2.0"
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::size_t end = line.find_last_not_of(" \t\r");
  if (end == std::string_view::npos) return "of unknown version";
  const std::size_t space = line.find_last_of(" \t", end);
  return std::string(line.substr(space + 1, end - space));
}

std::vector<std::string> ListPlatforms(std::string_view flags, bool may_use_kvm) {
  const std::size_t at = flags.find("which platform to use:");
  if (at == std::string_view::npos) return {"ptrace"};
  const std::string_view listed = flags.substr(at, flags.find('\n', at) - at);
  std::vector<std::string> platforms;
  for (const char* name : {"kvm", "systrap", "ptrace"}) {
    if (listed.find(name) == std::string_view::npos) continue;
    if (may_use_kvm || name != std::string_view("kvm")) platforms.emplace_back(name);
  }
  return platforms;
}

Expected<Runtime> FindRuntime(RuntimeKind kind, const std::string& cache_folder, const Trial& trial) {
  const Names& names = NamesOf(kind);
  Runtime runtime;
  runtime.kind = kind;
  runtime.path = FindExecutable(names);
  if (runtime.path.empty()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("there is no {} on this host; {}", names.command, names.remedy));
  }
  const std::string identity = Identity(runtime.path);
  const std::string file = fmt::format("{}/runtime-{}", cache_folder, names.name);
  if (!cache_folder.empty() && ReadCache(file, identity, runtime)) return runtime;
  if (auto asked = Ask(runtime, trial); !asked) return std::unexpected(asked.error());
  // Nothing is lost without it but some milliseconds of the next start.
  if (!cache_folder.empty() && MakeFolders(cache_folder, 0700)) {
    (void)WriteFileAtomically(file, fmt::format("{}\n{}\n{}\n", identity, runtime.version, runtime.platform),
                              0600);
  }
  return runtime;
}

}  // namespace casemate::oci
