#include "environments/build/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "base/command.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/confined.h"
#include "environments/build/contents.h"
#include "environments/build/image_source.h"
#include "environments/build/image_unpack.h"
#include "environments/build/staging.h"
#include "environments/file_view.h"
#include "environments/probe.h"

namespace casemate {
namespace {

using Kind = EnvironmentReference::Kind;

constexpr std::int64_t kAskTimeoutMs = 120'000;
constexpr std::size_t kClosureMax = 100'000;

// The variables travel from the confined child as NAME=VALUE texts, each ended by a zero byte.
std::string PackVariables(const std::map<std::string, std::string>& variables) {
  std::string text;
  for (const auto& [name, value] : variables) {
    text += fmt::format("{}={}", name, value);
    text += '\0';
  }
  return text;
}
std::map<std::string, std::string> UnpackVariables(std::string_view text) {
  std::map<std::string, std::string> variables;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos)
      variables[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
  return variables;
}

struct Folders {
  std::string root;  // becomes the environment's
  UniqueFd root_fd;
  UniqueFd outer_fd;
};
Expected<Folders> MakeBuildFolders(const StagingFolder& staging) {
  Folders folders;
  folders.root = staging.path() + "/environment/rootfs";
  const std::string outer = staging.path() + "/outer";
  for (const std::string& path : {folders.root, outer}) {
    if (auto made = MakeFolders(path, 0755); !made) return std::unexpected(made.error());
  }
  (void)chmod(folders.root.c_str(), 0755);
  folders.root_fd = UniqueFd(open(folders.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  folders.outer_fd = UniqueFd(open(outer.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folders.root_fd.valid() && folders.outer_fd.valid()) return folders;
  return FailErrno(ErrorCode::kInternal, "cannot open what was made", "open");
}

Expected<std::map<std::string, std::string>> Unpack(const std::string& file, const StagingFolder& staging,
                                                    const Folders& folders, const BuildOptions& options) {
  auto archive = OpenFile(file, O_RDONLY);
  if (!archive) return std::unexpected(archive.error());
  Confinement confinement;
  confinement.writable = staging.path();
  auto answer = RunConfined(confinement, [&]() -> Expected<std::string> {
    umask(0);
    auto config = UnpackImage(archive->get(), folders.outer_fd.get(), folders.root_fd.get(), options.limits);
    if (!config) return std::unexpected(config.error());
    return PackVariables(config->variables);
  });
  if (!answer) return std::unexpected(answer.error());
  return UnpackVariables(*answer);
}

Expected<void> CopyFolder(const std::string& folder, const StagingFolder& staging, const Folders& folders,
                          const BuildOptions& options) {
  if (RealPath(folder) == "/" || FileView("").Judge(folder) == FileView::Verdict::kExposes) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} is no root for a sandbox, but this host's own files: name a folder with a file "
                    "system of its own in it",
                    folder));
  }
  const UniqueFd from(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!from.valid()) {
    return FailErrno(ErrorCode::kInvalidRequest, fmt::format("{} is no folder that can be read", folder),
                     "open");
  }
  Confinement confinement;
  confinement.writable = staging.path();
  auto done = RunConfined(confinement, [&]() -> Expected<std::string> {
    umask(0);
    TreeWriter tree(folders.root_fd.get(), TreeLinks::kInRoot, options.limits);
    if (auto copied = CopyRoot(from.get(), tree); !copied) return std::unexpected(copied.error());
    return std::string();
  });
  if (!done) return std::unexpected(done.error());
  return {};
}

Expected<void> FindClosure(const std::string& path, EnvironmentManifest& manifest) {
  const std::string real = RealPath(path);
  CommandOptions options;
  options.bytes_max = 16 << 20;
  auto answer = RunCommand({"nix-store", "--query", "--requisites", real}, options);
  if (!answer || answer->exit_code == 127) {
    return Fail(ErrorCode::kUnavailable,
                "nix is not installed here, so there is no closure to show: install it, or use image:FILE");
  }
  if (!real.starts_with("/nix/store/") || answer->exit_code != 0) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} is no path of /nix/store that nix knows: name what \"nix build\" printed", path),
        answer->err.substr(0, 300));
  }
  std::string_view rest = answer->out;
  while (!rest.empty() && manifest.store_paths.size() < kClosureMax) {
    const std::size_t newline = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(std::min(newline + 1, rest.size()));
    if (line.starts_with("/nix/store/")) manifest.store_paths.emplace_back(line);
  }
  manifest.variables["PATH"] = real + "/bin";
  return {};
}

// In the sandbox, since its interpreter is a stranger's. What does not answer has none that could be used.
void AskInterpreter(const EnvironmentPaths& paths, const BuildOptions& options,
                    EnvironmentManifest& manifest) {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = readlink("/proc/self/exe", own.data(), own.size());
  const std::string self(own.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  CommandOptions command;
  command.timeout_ms = kAskTimeoutMs;
  if (const char* home = std::getenv("HOME"); home != nullptr) command.env["HOME"] = home;  // NOLINT
  const auto answer =
      RunCommand({self.substr(0, self.rfind('/') + 1) + "casemate", "run", "--no-engine", "--quiet",
                  "--state-dir", options.state_dir, "--timeout", "60s", "--environment",
                  "sha256:" + manifest.id, "--", "python3", "-I", "-c", std::string(ProbeScript())},
                 command);
  const auto report = answer && answer->exit_code == 0 ? ParseProbeOutput(answer->out, "the image's python3")
                                                       : std::unexpected(Error{});
  if (!report) return;
  manifest.python = report->executable;
  manifest.python_version = report->version;
  manifest.python_prefix = report->prefix;
  manifest.sys_path = report->sys_path;
  // Its root does not change; only what is known of it becomes more.
  (void)WriteFileAtomically(paths.Of(manifest.id) + "/environment.json", EncodeManifest(manifest), 0444);
}

std::string IdentityOf(const EnvironmentManifest& manifest, const std::string& contents) {
  std::string text = fmt::format("casemate image 1\n{}\n", Sha256Hex(contents));
  for (const auto& [name, value] : manifest.variables) text += fmt::format("variable {}={}\n", name, value);
  for (const std::string& path : manifest.store_paths) text += fmt::format("store {}\n", path);
  for (const std::string& module : manifest.preload) text += fmt::format("preload {}\n", module);
  return Sha256Hex(text);
}

Expected<void> Fill(const EnvironmentReference& reference, const StagingFolder& staging,
                    const Folders& folders, const BuildOptions& options, EnvironmentManifest& manifest,
                    BuildProgress& progress) {
  if (reference.kind == Kind::kNix) return FindClosure(reference.value, manifest);
  if (reference.kind == Kind::kRootfs) {
    progress.Step("copying", reference.value, 0, 0);
    return CopyFolder(reference.value, staging, folders, options);
  }
  std::string file = reference.value;
  if (reference.kind == Kind::kDocker || reference.kind == Kind::kRegistry) {
    file = staging.path() + "/fetched.tar";
    auto fetched = reference.kind == Kind::kDocker ? SaveFromDocker(reference.value, file, progress)
                                                   : CopyFromRegistry(reference.value, file, progress);
    if (!fetched) return fetched;
  }
  progress.Step("unpacking", reference.value, 0, 0);
  auto variables = Unpack(file, staging, folders, options);
  if (!variables) return std::unexpected(variables.error());
  manifest.variables = *std::move(variables);
  return {};
}

}  // namespace

Expected<EnvironmentManifest> BuildImage(const EnvironmentReference& reference, const std::string& name,
                                         const EnvironmentInputs& inputs, const BuildOptions& options,
                                         BuildProgress& progress) {
  const EnvironmentPaths paths(options.state_dir);
  auto staging = StagingFolder::Make(paths);
  if (!staging) return std::unexpected(staging.error());
  auto folders = MakeBuildFolders(*staging);
  if (!folders) return std::unexpected(folders.error());
  EnvironmentManifest manifest;
  manifest.kind = EnvironmentKindName(reference.kind);
  manifest.name = name;
  manifest.preload = options.preload;
  if (auto done = Fill(reference, *staging, *folders, options, manifest, progress); !done)
    return std::unexpected(done.error());
  progress.Step("hashing", "", 0, 0);
  auto contents = ListContents(folders->root, true);
  if (!contents) return std::unexpected(contents.error());
  manifest.bytes = contents->bytes;
  manifest.files = contents->files;
  manifest.id = IdentityOf(manifest, contents->text);
  auto known = ReadManifest(paths, manifest.id);
  if (!known) {
    if (auto kept = KeepEnvironment(paths, *staging, "environment", manifest, contents->text); !kept)
      return std::unexpected(kept.error());
    known = manifest;
  }
  if (known->python.empty()) {
    progress.Step("asking its interpreter", "", 0, 0);
    AskInterpreter(paths, options, *known);
  }
  if (auto noted = NoteRequest(paths, inputs.key, *known); !noted) return std::unexpected(noted.error());
  return known;
}

}  // namespace casemate
