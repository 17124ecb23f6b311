#include "isolation/process/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace casemate::process {
namespace {

constexpr int kDepthMax = 128;
constexpr std::int64_t kDiskBlockBytes = 512;  // stat(2), st_blocks

// Opens a folder of `folder` and calls `take` with each name in it, until that returns false.
void ForEachName(int folder, const std::function<bool(const char*)>& take) {
  UniqueFd copy(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DIR* entries = copy.valid() ? fdopendir(copy.get()) : nullptr;
  if (entries == nullptr) return;
  (void)copy.release();
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != ".." && !take(static_cast<const char*>(entry->d_name))) break;
  }
  closedir(entries);
}

class Meter {
 public:
  Meter(std::int64_t entries_max, std::int64_t& bytes, std::int64_t& entries)
      : entries_max_(entries_max), bytes_(bytes), entries_(entries) {}

  void Add(int folder, int depth) {  // NOLINT(misc-no-recursion): depth is bounded
    ForEachName(folder, [&](const char* name) {
      struct stat info {};
      if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return true;
      bytes_ += info.st_blocks * kDiskBlockBytes;
      if (++entries_ > entries_max_) return false;
      if (!S_ISDIR(info.st_mode) || depth >= kDepthMax) return true;
      const UniqueFd inner(openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (inner.valid()) Add(inner.get(), depth + 1);
      return entries_ <= entries_max_;
    });
  }

 private:
  std::int64_t entries_max_;
  std::int64_t& bytes_;
  std::int64_t& entries_;
};

std::vector<std::string> Names(int folder) {
  std::vector<std::string> names;
  ForEachName(folder, [&names](const char* name) {
    names.emplace_back(name);
    return true;
  });
  return names;
}

// Empties the folder `name` of `top` by moving its own folders up into `top`, so that no depth has to be
// walked.
void Flatten(int top, const std::string& name, std::uint64_t& moved) {
  // Its modes are the program's choice.
  (void)!fchmodat(top, name.c_str(), 0700, 0);
  const UniqueFd folder(openat(top, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return;
  for (const std::string& entry : Names(folder.get())) {
    if (unlinkat(folder.get(), entry.c_str(), 0) == 0) continue;
    struct stat info {};
    if (fstatat(folder.get(), entry.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode))
      continue;
    if (unlinkat(folder.get(), entry.c_str(), AT_REMOVEDIR) == 0) continue;
    (void)!fchmodat(folder.get(), entry.c_str(), 0700, 0);
    std::string up;
    do {
      up = fmt::format("moved-{}", moved++);
    } while (fstatat(top, up.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0);
    (void)!renameat(folder.get(), entry.c_str(), top, up.c_str());
  }
}

}  // namespace

void MeasureTree(int folder, std::int64_t entries_max, std::int64_t& bytes, std::int64_t& entries) {
  Meter(entries_max, bytes, entries).Add(folder, 0);
}

void EmptyFolder(int folder) {
  std::uint64_t moved = 0;
  for (std::vector<std::string> names = Names(folder); !names.empty();) {
    bool progress = false;
    const std::uint64_t moved_before = moved;
    for (const std::string& name : names) {
      if (unlinkat(folder, name.c_str(), 0) == 0 || unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0) {
        progress = true;
        continue;
      }
      Flatten(folder, name, moved);
      progress = unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0 || progress;
    }
    if (!progress && moved == moved_before) return;
    names = Names(folder);
  }
}

}  // namespace casemate::process
