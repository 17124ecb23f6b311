#include "confine/cgroup_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/file.h"

namespace casemate {
namespace {

struct Hierarchy {
  int version = 0;
  std::string mount_root;  // the cgroup that the mount shows as its top
  std::string mount_point;
  std::string options;  // super options: the controllers of version 1
};

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

bool HasWord(std::string_view words, char separator, std::string_view word) {
  for (const std::string_view part : Split(words, separator)) {
    if (part == word) return true;
  }
  return false;
}

// proc(5), /proc/pid/mountinfo: "id parent maj:min root mountpoint options [optional...] - type source
// super".
std::vector<Hierarchy> ParseMounts(std::string_view mountinfo) {
  std::vector<Hierarchy> found;
  for (const std::string_view line : Split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = Split(line.substr(0, dash), ' ');
    const auto after = Split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const int version = after[0] == "cgroup2" ? 2 : after[0] == "cgroup" ? 1 : 0;
    if (version == 0) continue;
    found.push_back({version, std::string(before[3]), std::string(before[4]), std::string(after[2])});
  }
  return found;
}

// cgroups(7), /proc/pid/cgroup: "id:controllers:path"; version 2 has id 0 and no controllers.
std::string OwnPath(std::string_view self_cgroup, int version, std::string_view controller) {
  for (const std::string_view line : Split(self_cgroup, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool match = version == 2 ? line.substr(0, first) == "0" && controllers.empty()
                                    : HasWord(controllers, ',', controller);
    if (match) return std::string(line.substr(second + 1));
  }
  return {};
}

// The folder of cgroup `path` below `mount`. Where the mount shows only a part of the tree (a container
// without its own cgroup namespace), the path starts with the mount's root.
std::string FolderOf(const std::string& root, const Hierarchy& mount, std::string path) {
  if (mount.mount_root != "/" && (path + "/").starts_with(mount.mount_root + "/")) {
    path.erase(0, mount.mount_root.size());
  }
  // "..": outside of this process's cgroup namespace (cgroup_namespaces(7)).
  if (path == "/" || (path + "/").contains("/../")) path.clear();
  const std::string folder = root + mount.mount_point + path;
  return FileExists(folder) ? folder : root + mount.mount_point;
}

bool MayMakeCgroups(const std::string& folder) { return access(folder.c_str(), W_OK | X_OK) == 0; }

// 0 or a positive errno.
int WriteControl(const std::string& path, std::string_view value) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return write(fd.get(), value.data(), value.size()) < 0 ? errno : 0;
}

bool Enable(const std::string& folder, std::string_view controller, bool prepare) {
  if (HasWord(ReadKernelFile(folder + "/cgroup.subtree_control"), ' ', controller)) return true;
  if (!prepare) return access((folder + "/cgroup.subtree_control").c_str(), W_OK) == 0;
  const std::string switches = folder + "/cgroup.subtree_control";
  const std::string value = fmt::format("+{}", controller);
  const int err = WriteControl(switches, value);
  if (err != EBUSY) return err == 0;
  // This process itself lives here. A leaf of its own makes room, if it is the only one.
  const std::string leaf = folder + "/casemate-engine";
  if (!MakeFolders(leaf, 0755)) return false;
  if (WriteControl(leaf + "/cgroup.procs", "0") == 0 && WriteControl(switches, value) == 0) return true;
  // Nothing is won: back to where it was.
  (void)WriteControl(folder + "/cgroup.procs", "0");
  rmdir(leaf.c_str());
  return false;
}

// Version 2: the nearest ancestor in which this process may make cgroups that have `controller`.
CgroupPlace PlaceV2(const std::string& root, const Hierarchy& mount, std::string_view self_cgroup,
                    std::string_view controller, bool prepare) {
  const std::string top = root + mount.mount_point;
  CgroupPlace place;
  std::string folder = FolderOf(root, mount, OwnPath(self_cgroup, 2, ""));
  for (;; folder.resize(folder.rfind('/'))) {
    // Above the first folder that is not ours nothing is: moving into a sibling needs the common ancestor.
    if (!MayMakeCgroups(folder)) {
      if (place.why_not.empty()) place.why_not = fmt::format("{} is not delegated to this user", folder);
      break;
    }
    if (HasWord(ReadKernelFile(folder + "/cgroup.controllers"), ' ', controller) &&
        Enable(folder, controller, prepare)) {
      return {2, folder, {}, {}};
    }
    place.why_not = fmt::format("the {} controller cannot be enabled in {}", controller, folder);
    if (folder == top) break;
  }
  place.remedy = "run it as: systemd-run --user --scope -p Delegate=yes casemate run …";
  return place;
}

CgroupPlace PlaceV1(const std::string& root, const Hierarchy& mount, std::string_view self_cgroup,
                    std::string_view controller) {
  const std::string folder = FolderOf(root, mount, OwnPath(self_cgroup, 1, controller));
  if (MayMakeCgroups(folder)) return {1, folder, {}, {}};
  return {0,
          {},
          fmt::format("{} is not writable for this user", folder),
          fmt::format("as root: mkdir {0}/user-{1} && chown -R {1} {0}/user-{1} && echo PID_OF_YOUR_SHELL > "
                      "{0}/user-{1}/tasks",
                      folder, getuid())};
}

CgroupPlace PlaceOf(const std::string& root, const std::vector<Hierarchy>& mounts,
                    std::string_view self_cgroup, std::string_view controller, bool prepare) {
  const Hierarchy* v2 = nullptr;
  for (const Hierarchy& mount : mounts) {
    if (mount.version == 1 && HasWord(mount.options, ',', controller)) {
      return PlaceV1(root, mount, self_cgroup, controller);
    }
    if (mount.version == 2) v2 = &mount;
  }
  if (v2 == nullptr) {
    return {0,
            {},
            fmt::format("no cgroup file system with the {} controller is mounted", controller),
            "as root: mount -t cgroup2 none /sys/fs/cgroup"};
  }
  // Version 2 has no cpuacct: cpu.stat is in every cgroup, so the memory controller's place will do.
  return PlaceV2(root, *v2, self_cgroup, controller == "cpuacct" ? "memory" : controller, prepare);
}

}  // namespace

std::string_view CgroupControllerName(CgroupController controller) {
  switch (controller) {
    case CgroupController::kMemory:
      return "memory";
    case CgroupController::kPids:
      return "pids";
    case CgroupController::kCpu:
      return "cpu";
    case CgroupController::kCpuacct:
      return "cpuacct";
  }
  return "";
}

CgroupHost CgroupHost::Discover(bool prepare) {
  return DiscoverFrom("", ReadKernelFile("/proc/self/cgroup"), ReadKernelFile("/proc/self/mountinfo"),
                      prepare);
}

CgroupHost CgroupHost::DiscoverFrom(const std::string& root, std::string_view self_cgroup,
                                    std::string_view mountinfo, bool prepare) {
  const std::vector<Hierarchy> mounts = ParseMounts(mountinfo);
  CgroupHost host;
  for (const CgroupController controller : kCgroupControllers) {
    host.places_[static_cast<std::size_t>(controller)] =
        PlaceOf(root, mounts, self_cgroup, CgroupControllerName(controller), prepare);
  }
  // A process is in one cgroup of version 2. The highest of the places has all controllers of those below it.
  const std::string* highest = nullptr;
  for (const CgroupPlace& place : host.places_) {
    if (place.version == 2 && (highest == nullptr || place.parent.size() < highest->size())) {
      highest = &place.parent;
    }
  }
  if (highest == nullptr) return host;
  const std::string shared = *highest;
  for (CgroupPlace& place : host.places_) {
    if (place.version == 2) place.parent = shared;
  }
  return host;
}

bool CgroupHost::complete() const {
  for (const CgroupPlace& place : places_) {
    if (place.version == 0) return false;
  }
  return true;
}

bool CgroupHost::entered_at_birth() const {
  return std::ranges::any_of(places_, [](const CgroupPlace& place) { return place.version == 2; });
}

}  // namespace casemate
