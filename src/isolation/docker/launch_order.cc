#include "isolation/docker/launch_order.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "base/errno.h"
#include "base/file.h"
#include "confine/program_plan.h"
#include "isolation/wire/wire_reader.h"

namespace casemate::docker {
namespace {

namespace fs = std::filesystem;

void AddFile(std::string_view path, unsigned mode, std::string_view bytes, std::string& order) {
  order += EncodeWire(Wire::kFile, fmt::format("{:04o}{}", mode, path));
  if (!bytes.empty()) order += EncodeWire(Wire::kData, bytes);
}

// A copied workspace: folders, regular files and links; nothing else of it can be copied.
Expected<void> AddFolderOf(const fs::path& host, const std::string& inside, std::int64_t bytes_max,
                           std::string& order) {
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(host, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string path = inside + "/" + entry->path().lexically_relative(host).string();
    struct stat info {};
    if (lstat(entry->path().c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      order += EncodeWire(Wire::kFolder, path);
    } else if (S_ISLNK(info.st_mode)) {
      std::string link = fs::read_symlink(entry->path(), error).string();
      link += '\0';
      order += EncodeWire(Wire::kSymlink, link + path);
    } else if (S_ISREG(info.st_mode)) {
      auto bytes = ReadFile(entry->path(), static_cast<std::size_t>(bytes_max));
      if (!bytes) return std::unexpected(bytes.error());
      AddFile(path, (info.st_mode & 0100) != 0 ? 0755 : 0644, *bytes, order);
    }
    if (static_cast<std::int64_t>(order.size()) > bytes_max + 16 * kMiB) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("the workspace {} does not fit into the sandbox; raise --tmp-size", host.string()));
    }
  }
  if (!error) return {};
  return Fail(ErrorCode::kNotFound, fmt::format("the workspace {} cannot be read", host.string()),
              error.message());
}

void AddLimits(const LaunchSpec& spec, std::string& order) {
  // RLIMIT_CORE is the container's own, and the filter lets nobody change it.
  for (const ResourceLimit& limit : EachProcessLimits(spec.policy)) {
    order += EncodeWire(Wire::kLimit,
                        fmt::format("{} {} {}", limit.resource, limit.value.rlim_cur, limit.value.rlim_max));
  }
}

void AddVariables(const LaunchSpec& spec, std::string& order) {
  std::map<std::string, std::string> env{
      {"PATH", SearchPath(spec.environment)}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}, {"TMPDIR", "/tmp"}};
  for (const auto& [name, value] : spec.env) env[name] = value;
  for (const auto& candidate : ExecCandidates(spec.argv.front(), env.at("PATH"), spec.working_dir))
    order += EncodeWire(Wire::kCandidate, candidate);
  for (const auto& [name, value] : env) order += EncodeWire(Wire::kVariable, name + "=" + value);
}

void AddSecrets(const LaunchSpec& spec, std::string& order) {
  for (const ResolvedSecret& secret : spec.secrets) {
    if (secret.mode == SecretMode::kFile) {
      AddFile("/casemate/secrets/" + secret.name, 0400, secret.value->Reveal(), order);
    } else {
      order += EncodeWire(Wire::kVariable, secret.name + "=" + std::string(secret.value->Reveal()));
    }
  }
}

}  // namespace

Expected<std::string> LaunchOrder(const LaunchSpec& spec, HostFolder folder) {
  std::string order =
      EncodeWire(Wire::kFolder, "/casemate/code") + EncodeWire(Wire::kFolder, "/casemate/secrets");
  for (const RootFile& file : spec.root_files) AddFile(file.path, 0444, file.bytes, order);
  const bool own_workspace = !spec.workspace || spec.workspace->mode == WorkspaceMode::kCopy;
  if (spec.workspace && (own_workspace || folder == HostFolder::kCopied)) {
    if (auto added =
            AddFolderOf(spec.workspace->host_path, "/workspace", spec.policy.limits.tmp_bytes, order);
        !added)
      return std::unexpected(added.error());
  }
  for (const InputFile& file : spec.files) AddFile("/workspace/" + file.name, 0644, file.bytes, order);
  for (const char* path : {"/tmp", "/dev/shm"}) order += EncodeWire(Wire::kWritable, path);
  if (own_workspace || spec.workspace->mode == WorkspaceMode::kReadWrite)
    order += EncodeWire(Wire::kWritable, "/workspace");
  for (const HostMount& mount : spec.mounts) {
    if (mount.writable) order += EncodeWire(Wire::kWritable, mount.inside_path);
  }
  AddSecrets(spec, order);
  AddVariables(spec, order);
  AddLimits(spec, order);
  for (const std::string& word : spec.argv) order += EncodeWire(Wire::kWord, word);
  order += EncodeWire(Wire::kWorkingDir, spec.working_dir);
  if (spec.policy.network.open())
    order += EncodeWire(Wire::kNetwork, std::to_string(spec.policy.network.limits.connections_max));
  return order + EncodeWire(Wire::kGo,
                            fmt::format("{}{}", spec.stdin_pipe ? "s" : "", spec.control_channel ? "c" : ""));
}

std::unexpected<Error> OrderFailed(const Carrier::NotStarted& trouble, const std::string& command,
                                   std::string_view place) {
  if (trouble.what == "execute it" && trouble.err == ENOENT) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no command {} in the {}; it has the interpreter, its packages and the "
                            "commands of profiles/docker/image.toml",
                            command, place));
  }
  if (trouble.what == "execute it" && trouble.err == EACCES) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} cannot be executed in the sandbox; is it an executable file?", command));
  }
  if (trouble.err == ENOSPC)
    return Fail(ErrorCode::kInvalidRequest, "the input files do not fit into the sandbox; raise --tmp-size");
  return FailErrno(ErrorCode::kUnavailable,
                   fmt::format("the {} could not {}; run `casemate doctor`", place, trouble.what),
                   "attendant", trouble.err);
}

}  // namespace casemate::docker
