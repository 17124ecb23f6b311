#include "environments/build/wheel_trees.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/confined.h"
#include "environments/build/contents.h"
#include "environments/build/wheel.h"

namespace casemate {
namespace {

constexpr std::int64_t kCompileTimeoutMs = 30 * 60'000;
constexpr std::size_t kBlockBytes = 1 << 20;
// On every processor, the largest files first; `compileall -j` would need semaphores and a pool of processes.
// Packages' own tests are half of many packages and are imported by nobody but their authors: they are left
// to be compiled when they are. A source that cannot be compiled is left as it is, as every installer does.
constexpr char kCompile[] =  // NOLINT(modernize-avoid-c-arrays): a script
    "import compileall, os, py_compile, sys\n"
    "files = []\n"
    "for top in sys.argv[1:]:\n"
    "    for folder, below, names in os.walk(top):\n"
    "        below[:] = [name for name in below if name not in ('tests', 'test', '__pycache__')]\n"
    "        for name in names:\n"
    "            path = os.path.join(folder, name)\n"
    "            if name.endswith('.py') and not os.path.islink(path):\n"
    "                files.append((-os.path.getsize(path), path))\n"
    "files.sort()\n"
    "jobs = min(len(os.sched_getaffinity(0)), 16, len(files) // 8 + 1)\n"
    "children = []\n"
    "for job in range(jobs):\n"
    "    child = os.fork() if job + 1 < jobs else 0\n"
    "    if child:\n"
    "        children.append(child)\n"
    "        continue\n"
    "    for size, path in files[job::jobs]:\n"
    "        compileall.compile_file(path, quiet=2,\n"
    "                                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)\n"
    "    if job + 1 < jobs:\n"
    "        os._exit(0)\n"
    "codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]\n"
    "sys.exit(2 if any(codes) else 0)\n";

std::string WheelPath(const EnvironmentPaths& paths, const LockedWheel& wheel) {
  return fmt::format("{}/{}/{}", paths.wheels, wheel.sha256, wheel.file);
}

Expected<std::string> HashOf(int fd, const std::string& name) {
  Sha256 hash;
  std::string block(kBlockBytes, '\0');
  for (;;) {
    const ssize_t count = read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", name), "read");
    if (count == 0) return hash.Hex();
    hash.Update({block.data(), static_cast<std::size_t>(count)});
  }
}

Expected<void> UnpackOne(const EnvironmentPaths& paths, const std::string& folder, const LockedWheel& wheel,
                         const TreeLimits& limits) {
  auto file = OpenFile(WheelPath(paths, wheel), O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto hash = HashOf(file->get(), wheel.file);
  if (!hash) return std::unexpected(hash.error());
  if (*hash != wheel.sha256) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} in {} is not the file that was fetched: remove it and build again",
                            wheel.file, paths.wheels),
                fmt::format("its hash is {}", *hash));
  }
  if (auto made = MakeFolders(folder + "/files/site", 0755); !made) return made;
  auto root = OpenFile(folder + "/files", O_RDONLY | O_DIRECTORY);
  if (!root) return std::unexpected(root.error());
  Confinement confinement;
  confinement.writable = folder + "/files";
  const auto work = [&]() -> Expected<std::string> {
    umask(0);
    if (auto done = UnpackWheel(file->get(), root->get(), limits); !done)
      return std::unexpected(done.error());
    return std::string();
  };
  auto done = RunConfined(confinement, work);
  if (done) return {};
  return Fail(done.error().code, fmt::format("{} is refused: {}", wheel.file, done.error().message),
              done.error().cause);
}

Expected<void> Compile(const StagingFolder& staging, const std::vector<std::string>& folders,
                       const std::string& python) {
  ConfinedCommand command;
  command.argv = {python, "-I", "-S", "-c", kCompile};
  command.argv.insert(command.argv.end(), folders.begin(), folders.end());
  command.env = {{"LANG", "C.UTF-8"}, {"PATH", "/usr/bin:/bin"}};
  command.working_dir = staging.path();
  command.timeout_ms = kCompileTimeoutMs;
  auto done = RunConfinedCommand({.writable = staging.path()}, command);
  if (!done) return std::unexpected(done.error());
  if (done->exit_code != 0) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} cannot compile the packages", python),
                done->err.substr(0, 500));
  }
  return {};
}

Expected<void> KeepTree(const EnvironmentPaths& paths, const StagingFolder& staging, const std::string& part,
                        const LockedWheel& wheel, std::string_view abi) {
  const std::string folder = fmt::format("{}/{}", staging.path(), part);
  auto contents = ListContents(folder + "/files", false);
  if (!contents) return std::unexpected(contents.error());
  if (auto written = WriteFileAtomically(folder + "/contents", contents->text, 0444); !written)
    return written;
  auto kept = staging.Keep(part, TreePath(paths, wheel, abi));
  if (!kept) return std::unexpected(kept.error());
  return {};
}

}  // namespace

std::string TreePath(const EnvironmentPaths& paths, const LockedWheel& wheel, std::string_view abi) {
  return fmt::format("{}/{}-{}", paths.trees, wheel.sha256, abi);
}

bool HasWheel(const EnvironmentPaths& paths, const LockedWheel& wheel, std::string_view abi) {
  return FileExists(TreePath(paths, wheel, abi)) || FileExists(WheelPath(paths, wheel));
}

Expected<void> TakeWheels(const EnvironmentPaths& paths, const std::string& folder,
                          const std::vector<LockedWheel>& wheels) {
  for (const LockedWheel& wheel : wheels) {
    const std::string path = WheelPath(paths, wheel);
    if (FileExists(path)) continue;
    if (auto made = MakeFolders(path.substr(0, path.rfind('/')), 0700); !made) return made;
    if (rename(fmt::format("{}/{}", folder, wheel.file).c_str(), path.c_str()) != 0) {
      return FailErrno(ErrorCode::kInternal, fmt::format("cannot keep {}", wheel.file), "rename");
    }
  }
  return {};
}

Expected<void> MakeTrees(const EnvironmentPaths& paths, const StagingFolder& staging,
                         const std::vector<LockedWheel>& wheels, const std::string& python,
                         const std::string& abi, const TreeLimits& limits, BuildProgress& progress) {
  std::vector<const LockedWheel*> missing;
  for (const LockedWheel& wheel : wheels) {
    if (!FileExists(TreePath(paths, wheel, abi))) missing.push_back(&wheel);
  }
  if (missing.empty()) return {};
  std::vector<std::string> folders;
  const auto total = static_cast<std::int64_t>(missing.size());
  const auto part = [](std::size_t i) { return fmt::format("tree-{}", i); };
  for (std::size_t i = 0; i < missing.size(); ++i) {
    progress.Step("unpacking", missing[i]->file, static_cast<std::int64_t>(i), total);
    const std::string folder = fmt::format("{}/{}", staging.path(), part(i));
    if (auto done = UnpackOne(paths, folder, *missing[i], limits); !done) return done;
    folders.push_back(folder + "/files/site");
  }
  progress.Step("compiling", "", total, total);
  if (auto done = Compile(staging, folders, python); !done) return done;
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (auto kept = KeepTree(paths, staging, part(i), *missing[i], abi); !kept) return kept;
  }
  return {};
}

}  // namespace casemate
