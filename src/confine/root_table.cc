#include "confine/root_table.h"

#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "confine/host_files.h"

namespace casemate {
namespace {

constexpr std::uint64_t kSealed = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// Files of /etc with our own content: what the C library and Python read, and nothing of this host.
struct SyntheticFile {
  const char* path;
  const char* content;
};
constexpr std::array kSyntheticFiles = {
    // Names for the ids inside (getpwuid, os.path.expanduser).
    SyntheticFile{"etc/passwd",
                  "root:x:0:0:root:/tmp:/usr/sbin/nologin\n"
                  "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\n"
                  "nobody:x:65534:65534:nobody:/tmp:/usr/sbin/nologin\n"},
    SyntheticFile{"etc/group", "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n"},
    // Names are answered from files alone: there is no network, and no socket of a host's daemon.
    SyntheticFile{"etc/nsswitch.conf",
                  "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"},
    SyntheticFile{"etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"},
};

// A larger file is bound read-only: to read and write it costs more than a mount.
constexpr std::size_t kCopiedFileMax = 8 << 10;

struct Link {
  const char* path;
  const char* target;
};
constexpr std::array kDeviceLinks = {
    Link{"dev/fd", "/proc/self/fd"},
    Link{"dev/stdin", "/proc/self/fd/0"},
    Link{"dev/stdout", "/proc/self/fd/1"},
    Link{"dev/stderr", "/proc/self/fd/2"},
};

// Empty folders that are mounted upon or searched for.
constexpr std::array kFolders = {"dev",         "dev/shm", "etc",       "proc",     "run",
                                 "run/secrets", "tmp",     "workspace", "casemate", "code"};

// Paths that are ours; nothing of the caller's may be mounted at or below them.
constexpr std::array kReserved = {"/bin",  "/boot", "/casemate", "/code", "/dev",
                                  "/etc",  "/lib",  "/lib64",    "/proc", "/run",
                                  "/sbin", "/sys",  "/tmp",      "/usr",  "/workspace"};

class RootBuilder {
 public:
  explicit RootBuilder(ConfinementPlan& plan) : plan_(plan) {}

  void Folder(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      AddFolder(path.substr(0, slash));
    }
    AddFolder(path);
  }
  // `content` outlives the plan.
  void File(const std::string& path, std::string_view content) {
    Parents(path);
    // The first wins: an environment may already have brought a file of /etc.
    if (!made_.insert(path).second) return;
    bytes_ += content.size();
    plan_.root_entries.push_back({RootEntry::Kind::kFile, path, content, 0444});
  }
  void OwnFile(const std::string& path, std::string content) {
    File(path, plan_.texts.emplace_back(std::move(content)));
  }
  void Symlink(const std::string& path, std::string target) {
    Parents(path);
    if (!made_.insert(path).second) return;
    plan_.root_entries.push_back(
        {RootEntry::Kind::kSymlink, path, plan_.texts.emplace_back(std::move(target)), 0});
  }
  // `source` is absolute and is seen at `inside`; `given` by the caller. False when something is there
  // already.
  bool Bind(const std::string& source, std::string_view inside, std::uint64_t attributes, bool folder,
            bool given = false) {
    const std::string target(inside.substr(1));
    if (!bound_.insert(target).second) return false;
    if (folder) {
      Folder(target);
    } else {
      File(target, "");
    }
    plan_.binds.push_back({source, target, attributes, folder, given, UniqueFd()});
    return true;
  }

  // Covers a folder inside of what is bound.
  void Cover(const std::string& empty, std::string_view inside) {
    const std::string target(inside.substr(1));
    if (!bound_.insert(target).second) return;
    plan_.binds.push_back({empty, target, kSealed | MOUNT_ATTR_NOEXEC, false, false, UniqueFd()});
  }

  // The root's own size: what is in it, rounded up to pages, and a little for folders.
  std::string Options() const {
    const std::size_t size = bytes_ + 4096 * (plan_.root_entries.size() + 16);
    return fmt::format("mode=755,size={},nr_inodes={}", size, plan_.root_entries.size() + 16);
  }

 private:
  void AddFolder(const std::string& path) {
    if (made_.insert(path).second) plan_.root_entries.push_back({RootEntry::Kind::kFolder, path, {}, 0755});
  }
  void Parents(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos) Folder(path.substr(0, slash));
  }

  ConfinementPlan& plan_;
  std::set<std::string> made_;
  std::set<std::string> bound_;
  std::size_t bytes_ = 0;
};

void TakeHostFile(const std::string& path, RootBuilder& root) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || access(path.c_str(), R_OK) != 0) return;
  if (static_cast<std::size_t>(info.st_size) > kCopiedFileMax) {
    root.Bind(path, path, kSealed | MOUNT_ATTR_NOEXEC, false);
  } else if (auto bytes = ReadFile(path, kCopiedFileMax)) {
    root.OwnFile(path.substr(1), *std::move(bytes));
  }
}

void PlanEtc(RootBuilder& root) {
  for (const SyntheticFile& file : kSyntheticFiles) root.File(file.path, file.content);
  for (const char* name : kHostFiles) TakeHostFile(std::string("/") + name, root);
  for (const char* path : kBoundFolders) {
    if (FileExists(path)) root.Bind(std::filesystem::canonical(path), path, kSealed, true);
  }
  // The time zone, when it is a link into /usr as systemd makes it (localtime(5)).
  std::array<char, 256> target{};
  const ssize_t length = readlink("/etc/localtime", target.data(), target.size());
  if (length > 0) root.Symlink("etc/localtime", {target.data(), static_cast<std::size_t>(length)});
  root.Symlink("etc/os-release", "../usr/lib/os-release");
  root.Symlink("etc/mtab", "/proc/self/mounts");
}

void PlanDev(const EnvironmentView& environment, bool terminal, RootBuilder& root) {
  const auto bind = [&root](const std::string& device) {
    root.Bind(device, device, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false);
  };
  for (const char* device : kDevices) bind(device);
  for (const std::string& device : environment.devices) bind(device);
  // Whatever terminal the one who opens it has.
  if (terminal) bind("/dev/tty");
  if (terminal) root.Folder("dev/pts");
  for (const Link& link : kDeviceLinks) root.Symlink(link.path, link.target);
}

Expected<void> PlanEnvironment(const EnvironmentView& environment, RootBuilder& root) {
  for (const std::string& path : environment.read_only_paths) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} of the environment is gone; run `casemate doctor`", path));
    }
    root.Bind(path, path, kSealed, S_ISDIR(info.st_mode));
  }
  for (const auto& [source, inside] : environment.placed_paths) {
    struct stat info {};
    if (stat(source.c_str(), &info) != 0) {
      return Fail(ErrorCode::kNotFound, fmt::format("{} of the environment is gone; build it again", source));
    }
    root.Bind(source, inside, kSealed, S_ISDIR(info.st_mode));
  }
  for (const auto& [path, target] : environment.symlinks) root.Symlink(path.substr(1), target);
  return {};
}

bool HasOwn(const EnvironmentView& environment, std::string_view folder) {
  return std::ranges::any_of(environment.placed_paths,
                             [folder](const auto& placed) { return placed.second == folder; });
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

Expected<void> CheckMountTarget(const std::string& inside) {
  const bool normal = inside.size() > 1 && inside.front() == '/' && inside.back() != '/' &&
                      inside.find("//") == std::string::npos &&
                      (inside + "/").find("/../") == std::string::npos &&
                      (inside + "/").find("/./") == std::string::npos;
  if (!normal) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("cannot mount at {}: give a plain absolute path such as /data", inside));
  }
  for (const char* reserved : kReserved) {
    if (IsBelow(inside, reserved)) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("cannot mount at {}: {} is the sandbox's own; use a path such as /data", inside,
                              reserved));
    }
  }
  return {};
}

Expected<void> PlanRoot(const LaunchSpec& spec, ConfinementPlan& plan) {
  RootBuilder root(plan);
  for (const char* folder : kFolders) root.Folder(folder);
  if (auto done = PlanEnvironment(spec.environment, root); !done) return done;
  for (const std::string& path : spec.environment.hidden_paths)
    root.Cover(spec.environment.empty_folder, path);
  if (!HasOwn(spec.environment, "/etc")) PlanEtc(root);
  PlanDev(spec.environment, spec.terminal.has_value(), root);
  for (const RootFile& file : spec.root_files) root.File(file.path.substr(1), file.bytes);
  if (spec.workspace && spec.workspace->mode != WorkspaceMode::kCopy) {
    const bool writable = spec.workspace->mode == WorkspaceMode::kReadWrite;
    root.Bind(spec.workspace->host_path, kWorkspace,
              writable ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : kSealed, true, true);
  }
  for (const HostMount& mount : spec.mounts) {
    if (auto allowed = CheckMountTarget(mount.inside_path); !allowed) return allowed;
    struct stat info {};
    if (stat(mount.host_path.c_str(), &info) != 0) {
      return Fail(ErrorCode::kNotFound, fmt::format("{} is not there to be mounted", mount.host_path));
    }
    // Neither hides the other: a mount over the interpreter would be a puzzle, one below it has no place.
    const bool clashes = std::ranges::any_of(spec.environment.read_only_paths, [&mount](const auto& path) {
      return IsBelow(path, mount.inside_path) || IsBelow(mount.inside_path, path);
    });
    if (clashes || !root.Bind(mount.host_path, mount.inside_path,
                              mount.writable ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : kSealed,
                              S_ISDIR(info.st_mode), true)) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("cannot mount at {}: something else is mounted there; use another path such as /data",
                      mount.inside_path));
    }
  }
  plan.root_options = root.Options();
  return {};
}

}  // namespace casemate
