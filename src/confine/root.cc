#include "confine/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "confine/syscalls.h"

namespace casemate {
namespace {

// Where the new root is put together: /tmp is on every host (FHS 3.18), and the mount covers it in this
// mount namespace alone.
constexpr const char* kBuildPlace = "/tmp";
constexpr const char* kScratchPlace = "tmp";
constexpr const char* kSecretsPlace = "run/secrets";
constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV;

StepResult Failed(LaunchStep step) { return {step, errno}; }

int WriteFile(int folder, const char* path, mode_t mode, std::string_view content) {
  const int fd = openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return -1;
  const char* at = content.data();
  std::size_t left = content.size();
  while (left > 0) {
    const ssize_t count = write(fd, at, left);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    at += count;
    left -= static_cast<std::size_t>(count);
  }
  const int err = errno;
  close(fd);
  errno = err;
  return left == 0 ? 0 : -1;
}

int MakeEntry(int root, const RootEntry& entry) {
  switch (entry.kind) {
    case RootEntry::Kind::kFolder:
      return mkdirat(root, entry.path.c_str(), entry.mode) == 0 || errno == EEXIST ? 0 : -1;
    case RootEntry::Kind::kFile:
      return WriteFile(root, entry.path.c_str(), entry.mode, entry.content);
    case RootEntry::Kind::kSymlink:
      // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): plan.h promises the NUL
      return symlinkat(entry.content.data(), root, entry.path.c_str());
  }
  return -1;
}

StepResult AttachBinds(int root, const ConfinementPlan& plan) {
  for (const BindMount& bind : plan.binds) {
    if (MoveMount(bind.tree.get(), "", root, bind.target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      return Failed(LaunchStep::kBindMounts);
    }
  }
  return {};
}

// pivot_root(2), "pivot_root(".", ".")": the old root ends up under the new one and is detached from there.
StepResult Pivot(int root) {
  if (fchdir(root) != 0 || PivotRoot(".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
    return Failed(LaunchStep::kPivot);
  }
  return {};
}

StepResult Seal() {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (MountSetattr(AT_FDCWD, "/", 0, attributes) != 0) return Failed(LaunchStep::kSealRoot);
  // Prove it: the next write must fail with EROFS, and for no other reason.
  if (mkdir("/casemate-probe", 0700) == 0) return {LaunchStep::kSealRoot, EPERM};
  return errno == EROFS ? StepResult{} : Failed(LaunchStep::kSealRoot);
}

}  // namespace

StepResult MakeRootEntries(int root, std::span<const RootEntry> entries) {
  for (const RootEntry& entry : entries) {
    if (MakeEntry(root, entry) != 0) return Failed(LaunchStep::kRootFiles);
  }
  return {};
}

// One tmpfs, seen in several places with the flags that each needs, and in none as a whole: it is mounted
// where its last view, /tmp, then covers it. Unmounting it instead would wait for an RCU grace period.
StepResult MountScratch(int root, const ScratchPlan& scratch, uid_t owner, RootHandles& handles) {
  constexpr LaunchStep kStep = LaunchStep::kScratch;
  if (mount("tmpfs", kScratchPlace, "tmpfs", kQuiet, scratch.options.c_str()) != 0) return Failed(kStep);
  handles.scratch = openat(root, kScratchPlace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handles.scratch < 0) return Failed(kStep);
  for (const ScratchView& view : scratch.views) {
    if (mkdirat(handles.scratch, view.name.c_str(), view.mode) != 0 ||
        fchmodat(handles.scratch, view.name.c_str(), view.mode, 0) != 0 ||
        fchownat(handles.scratch, view.name.c_str(), owner, owner, 0) != 0) {
      return Failed(kStep);
    }
    const int tree = OpenTree(handles.scratch, view.name.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) return Failed(kStep);
    mount_attr attributes{};
    attributes.attr_set = view.attributes;
    if (MountSetattr(tree, "", AT_EMPTY_PATH, attributes) != 0 ||
        MoveMount(tree, "", root, view.target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      return Failed(kStep);
    }
    close(tree);
  }
  return {};
}

StepResult MountProc(const char* options) {
  if (mount("proc", "proc", "proc", kQuiet | MS_NOEXEC, options) != 0) return Failed(LaunchStep::kProc);
  return {};
}

StepResult MountSecrets(std::span<const SecretFile> files, uid_t owner) {
  constexpr LaunchStep kStep = LaunchStep::kSecrets;
  if (files.empty()) return {};
  if (mount("ramfs", kSecretsPlace, "ramfs", kQuiet | MS_NOEXEC, "mode=755") != 0) return Failed(kStep);
  const int folder = open(kSecretsPlace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failed(kStep);
  for (const SecretFile& file : files) {
    if (WriteFile(folder, file.name.c_str(), 0400, file.bytes) != 0 ||
        fchownat(folder, file.name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0) {
      return Failed(kStep);
    }
  }
  // Nothing bounds a ramfs but that nobody can write to it.
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (MountSetattr(folder, "", AT_EMPTY_PATH, attributes) != 0) return Failed(kStep);
  close(folder);
  return {};
}

int OpenDetached(const BindMount& bind) {
  const unsigned recurse = bind.recursive ? AT_RECURSIVE : 0U;
  const UniqueFd place(bind.given ? OpenWithoutLinks(bind.source.c_str(), O_PATH) : -1);
  if (bind.given && !place.valid()) return -errno;
  const int tree =
      bind.given ? OpenTree(place.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recurse)
                 : OpenTree(AT_FDCWD, bind.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recurse);
  if (tree < 0) return -errno;
  mount_attr change{};
  change.attr_set = bind.attributes;
  // Nothing that is mounted on the host later may appear inside.
  change.propagation = MS_PRIVATE;
  if (MountSetattr(tree, "", AT_EMPTY_PATH | recurse, change) != 0) {
    const int err = errno;
    close(tree);
    return -err;
  }
  return tree;
}

StepResult OpenBindSources(std::vector<BindMount>& binds) {
  for (BindMount& bind : binds) {
    if (bind.tree.valid()) continue;
    const int tree = OpenDetached(bind);
    if (tree < 0) return {LaunchStep::kBindMounts, -tree};
    bind.tree = UniqueFd(tree);
  }
  return {};
}

StepResult BuildRoot(const ConfinementPlan& plan, RootHandles& handles) {
  if (mount("tmpfs", kBuildPlace, "tmpfs", kQuiet, plan.root_options.c_str()) != 0 ||
      chdir(kBuildPlace) != 0) {
    return Failed(LaunchStep::kNewRoot);
  }
  const int root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return Failed(LaunchStep::kNewRoot);
  StepResult result = MakeRootEntries(root, plan.root_entries);
  if (result.err == 0) result = AttachBinds(root, plan);
  if (result.err == 0) result = MountScratch(root, plan.scratch, plan.ids.program_uid, handles);
  if (result.err == 0) result = MountSecrets(plan.secret_files, plan.ids.program_uid);
  // Before the pivot: the kernel allows a new proc only while one is fully visible in this mount namespace.
  if (result.err == 0) result = MountProc(plan.proc_options.c_str());
  if (result.err == 0) result = Pivot(root);
  if (result.err == 0) result = Seal();
  close(root);
  if (result.err != 0) return result;
  handles.workspace = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return handles.workspace < 0 ? Failed(LaunchStep::kWorkingDir) : StepResult{};
}

}  // namespace casemate
