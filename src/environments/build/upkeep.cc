#include "environments/build/upkeep.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <set>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/contents.h"
#include "environments/build/staging.h"

namespace casemate {
namespace {

constexpr std::size_t kContentsMax = 512 << 20;

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), closedir);
  if (entries == nullptr) return names;
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

bool IsHash(std::string_view text) {
  constexpr std::size_t kDigitsMin = 12;
  return text.size() >= kDigitsMin && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The time of its last use is that of the folder itself.
bool IsOlder(const std::string& path, std::int64_t seconds) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && std::time(nullptr) - info.st_mtim.tv_sec >= seconds;
}

enum class Removal { kDone, kInUse, kGone };
Removal Remove(const std::string& folder, const StagingFolder& staging, int number) {
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Removal::kGone;
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return Removal::kInUse;
  // Out of the store in one step: nothing half removed is ever found there.
  const std::string aside = fmt::format("{}/old-{}", staging.path(), number);
  if (rename(folder.c_str(), aside.c_str()) != 0) return Removal::kGone;
  return Removal::kDone;
}

// What builds share and no environment has any more.
int RemoveUnused(const EnvironmentPaths& paths, const StagingFolder& staging, const PruneWish& wish) {
  std::set<std::string> used;
  for (const std::string& id : ListBuilt(paths)) {
    const auto manifest = ReadManifest(paths, id);
    if (!manifest) continue;
    for (const LockedWheel& wheel : manifest->wheels) used.insert(wheel.sha256);
  }
  int removed = 0;
  for (const std::string* folder : {&paths.trees, &paths.wheels}) {
    for (const std::string& name : NamesIn(*folder)) {
      const std::string path = fmt::format("{}/{}", *folder, name);
      if (used.contains(name.substr(0, 64))) continue;
      if (!wish.all && !IsOlder(path, wish.older_than_s.value_or(0))) continue;
      const std::string aside = fmt::format("{}/cached-{}", staging.path(), removed);
      if (rename(path.c_str(), aside.c_str()) == 0) ++removed;
    }
  }
  return removed;
}

}  // namespace

Expected<EnvironmentManifest> FindEnvironment(const EnvironmentPaths& paths, const std::string& name,
                                              const HostEnvironmentOptions& host) {
  const std::string hash = name.starts_with("sha256:") ? name.substr(7) : name;
  if (IsHash(hash)) {
    for (const std::string& id : ListBuilt(paths)) {
      auto manifest = ReadManifest(paths, id);
      if (manifest && manifest->id.starts_with(hash)) return manifest;
    }
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no environment {}: \"casemate env list\" has them", name));
  }
  auto reference = ParseEnvironmentReference(name);
  if (!reference) return std::unexpected(reference.error());
  if (reference->kind == EnvironmentReference::Kind::kHost) {
    return Fail(ErrorCode::kInvalidRequest,
                "the host's environment is not built, so there is nothing to tell");
  }
  auto inputs = ReadEnvironmentInputs(*reference, host);
  if (!inputs) return std::unexpected(inputs.error());
  const std::string id = FindBuiltId(paths, inputs->key);
  auto manifest = id.empty() ? Fail(ErrorCode::kNotFound, "") : ReadManifest(paths, id);
  if (manifest) return manifest;
  return Fail(ErrorCode::kNotFound,
              fmt::format("{} was not built, or its files have changed since: \"casemate "
                          "env build\" builds it",
                          name));
}

Expected<std::string> VerifyEnvironment(const EnvironmentPaths& paths, const std::string& id) {
  auto manifest = ReadManifest(paths, id);
  if (!manifest) {
    // Damage, and no fault of the question.
    return std::string(manifest.error().message);
  }
  const std::string folder = paths.Of(id);
  const auto text = ReadFile(folder + "/contents", kContentsMax);
  if (!text) return std::string("the list of its files is gone");
  if (Sha256Hex(*text) != manifest->contents_sha256) return std::string("the list of its files has changed");
  if (!manifest->wheels.empty() || FileExists(folder + "/venv")) {
    if (Sha256Hex(LockText(*manifest)) != manifest->id) return std::string("its description has changed");
    auto found = ListContents(folder + "/venv", false);
    if (!found) return std::unexpected(found.error());
    return FirstDifference(*text, found->text);
  }
  if (!FileExists(folder + "/rootfs")) return std::string();
  auto found = ListContents(folder + "/rootfs", true);
  if (!found) return std::unexpected(found.error());
  return FirstDifference(*text, found->text);
}

Expected<Pruned> PruneEnvironments(const EnvironmentPaths& paths, const PruneWish& wish) {
  auto staging = StagingFolder::Make(paths);
  if (!staging) return std::unexpected(staging.error());
  Pruned pruned;
  int number = 0;
  for (const std::string& name : ListBuilt(paths)) {
    const std::string folder = paths.Of(name);
    const bool named =
        std::ranges::any_of(wish.ids, [&name](const std::string& id) { return id.starts_with(name); });
    const bool old = wish.older_than_s && IsOlder(folder, *wish.older_than_s);
    if (!named && !old && !wish.all) continue;
    const Removal removal = Remove(folder, *staging, number++);
    if (removal == Removal::kDone) ++pruned.removed;
    if (removal == Removal::kInUse) ++pruned.in_use;
  }
  if (wish.all || wish.older_than_s) pruned.cached = RemoveUnused(paths, *staging, wish);
  return pruned;
}

}  // namespace casemate
