#include "environments/build/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/wheel.h"

namespace casemate {
namespace {

constexpr std::size_t kNotesMax = 16 << 20;
constexpr mode_t kOpenFolder = 0755;

void RemoveEntry(int parent, const char* name) {
  if (unlinkat(parent, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
  (void)!fchmodat(parent, name, 0700, 0);
  const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(fd), closedir);
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view one = entry->d_name;
    if (one != "." && one != "..") RemoveEntry(fd, entry->d_name);
  }
  (void)unlinkat(parent, name, AT_REMOVEDIR);
}

// What builds that were killed have left: nobody holds its lock.
void RemoveAbandoned(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), closedir);
  if (entries == nullptr) return;
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = fmt::format("{}/{}", folder, name);
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid() && flock(fd.get(), LOCK_EX | LOCK_NB) == 0) RemoveTree(path);
  }
}

Expected<void> Sync(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.valid() && fsync(fd.get()) == 0) return {};
  return FailErrno(ErrorCode::kInternal, fmt::format("{} cannot be written to the disk", path), "fsync");
}

std::string NotePath(const EnvironmentPaths& paths, const std::string& key) {
  return fmt::format("{}/{}", paths.requests, key);
}

}  // namespace

void RemoveTree(const std::string& path) { RemoveEntry(AT_FDCWD, path.c_str()); }

Expected<StagingFolder> StagingFolder::Make(const EnvironmentPaths& paths) {
  // Others may pass through: the program in a sandbox has another user id.
  for (const std::string* folder : {&paths.store, &paths.trees}) {
    if (auto made = MakeFolders(*folder, kOpenFolder); !made) return std::unexpected(made.error());
  }
  for (const std::string* folder : {&paths.requests, &paths.staging, &paths.wheels, &paths.locks}) {
    if (auto made = MakeFolders(*folder, 0700); !made) return std::unexpected(made.error());
  }
  RemoveAbandoned(paths.staging);
  std::string path = paths.staging + "/build-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return FailErrno(ErrorCode::kInternal, fmt::format("cannot make a folder in {}", paths.staging),
                     "mkdtemp");
  }
  UniqueFd lock(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid() || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return FailErrno(ErrorCode::kInternal, fmt::format("cannot lock {}", path), "flock");
  }
  return StagingFolder(std::move(path), std::move(lock));
}

StagingFolder::~StagingFolder() {
  if (lock_.valid()) RemoveTree(path_);
}

Expected<bool> StagingFolder::Keep(const std::string& part, const std::string& path) const {
  const std::string source = fmt::format("{}/{}", path_, part);
  // One call for thousands of files.
  if (syncfs(lock_.get()) != 0) {
    return FailErrno(ErrorCode::kInternal, "the environment cannot be written to the disk", "syncfs");
  }
  if (rename(source.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST || errno == ENOTEMPTY) return false;
    return FailErrno(ErrorCode::kInternal, fmt::format("cannot keep {}", path), "rename");
  }
  if (auto synced = Sync(path.substr(0, path.rfind('/'))); !synced) return std::unexpected(synced.error());
  return true;
}

Expected<UniqueFd> LockBuild(const EnvironmentPaths& paths, const std::string& key, void (*on_wait)(void*),
                             void* context) {
  if (auto made = MakeFolders(paths.locks, 0700); !made) return std::unexpected(made.error());
  auto lock = OpenFile(fmt::format("{}/{}", paths.locks, key), O_RDWR | O_CREAT, 0600);
  if (!lock) return lock;
  if (flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return lock;
  on_wait(context);
  while (flock(lock->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(ErrorCode::kInternal, "cannot wait for another build", "flock");
  }
  return lock;
}

Expected<void> NoteRequest(const EnvironmentPaths& paths, const std::string& key,
                           const EnvironmentManifest& manifest) {
  std::string text = fmt::format("casemate-request 1\nid {}\n", manifest.id);
  for (const LockedWheel& wheel : manifest.wheels)
    text += fmt::format("wheel {} {}\n", wheel.sha256, wheel.file);
  return WriteFileAtomically(NotePath(paths, key), text, 0600);
}

std::vector<LockedWheel> NotedWheels(const EnvironmentPaths& paths, const std::string& key) {
  std::vector<LockedWheel> wheels;
  const auto text = ReadFile(NotePath(paths, key), kNotesMax);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::size_t newline = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(std::min(newline + 1, rest.size()));
    constexpr std::size_t kDigits = 64;
    constexpr std::string_view kWheel = "wheel ";
    if (!line.starts_with(kWheel) || line.size() < kWheel.size() + kDigits + 1) continue;
    auto wheel = ParseWheelName(line.substr(kWheel.size() + kDigits + 1));
    if (!wheel) return {};
    wheel->sha256 = line.substr(kWheel.size(), kDigits);
    wheels.push_back(*std::move(wheel));
  }
  return wheels;
}

Expected<void> KeepEnvironment(const EnvironmentPaths& paths, const StagingFolder& staging,
                               const std::string& part, EnvironmentManifest& manifest,
                               const std::string& contents) {
  const std::string folder = fmt::format("{}/{}", staging.path(), part);
  manifest.contents_sha256 = Sha256Hex(contents);
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  manifest.created = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  auto done = WriteFileAtomically(folder + "/contents", contents, 0444);
  if (done) done = WriteFileAtomically(folder + "/environment.json", EncodeManifest(manifest), 0444);
  if (done) done = MakeFolders(folder + "/empty", kOpenFolder);
  if (!done) return done;
  if (chmod(folder.c_str(), kOpenFolder) != 0 || chmod((folder + "/empty").c_str(), kOpenFolder) != 0) {
    return FailErrno(ErrorCode::kInternal, fmt::format("cannot open {} to programs", folder), "chmod");
  }
  auto kept = staging.Keep(part, paths.Of(manifest.id));
  if (!kept) return std::unexpected(kept.error());
  return {};
}

}  // namespace casemate
