#include "isolation/process/run_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/errno.h"
#include "base/file.h"
#include "isolation/process/tree.h"

namespace casemate::process {
namespace {

constexpr std::string_view kNamePrefix = "casemate-run-";
constexpr std::array kOfTheProgram = {"workspace", "tmp"};
constexpr std::array kOurs = {"casemate", "code"};

std::string RandomName() {
  std::uint64_t number = 0;
  (void)!getrandom(&number, sizeof(number), 0);
  return fmt::format("{}{:016x}", kNamePrefix, number);
}

UniqueFd OpenFolder(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// A cleaner may have removed the folder between its making and its locking.
bool IsStillThere(const UniqueFd& folder) {
  struct stat info {};
  return fstat(folder.get(), &info) == 0 && info.st_nlink > 0;
}

std::unexpected<Error> CannotMake(const std::string& path) {
  return FailErrno(
      ErrorCode::kUnavailable,
      fmt::format("cannot make the run's folder {}; free space there, or name another with TMPDIR", path),
      "mkdir " + path);
}

}  // namespace

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), folder_(std::move(other.folder_)) {}

RunFolder& RunFolder::operator=(RunFolder&& other) noexcept {
  if (this != &other) {
    Remove();
    path_ = std::exchange(other.path_, {});
    folder_ = std::move(other.folder_);
  }
  return *this;
}

Expected<RunFolder> RunFolder::Make(const std::string& temporary, uid_t owner) {
  const bool own_id = owner != static_cast<uid_t>(-1);
  RunFolder made;
  for (int attempt = 0; !made.folder_.valid(); ++attempt) {
    made.path_ = temporary + "/" + RandomName();
    // Another id has to pass through it.
    const int failed = mkdir(made.path_.c_str(), 0700);
    if (failed != 0 && errno == EEXIST && attempt < 100) continue;
    if (failed != 0) {
      auto error = CannotMake(made.path_);
      made.path_.clear();
      return error;
    }
    UniqueFd folder = OpenFolder(made.path_);
    if (folder.valid() && flock(folder.get(), LOCK_EX | LOCK_NB) == 0 && IsStillThere(folder))
      made.folder_ = std::move(folder);
    if (!made.folder_.valid() && attempt >= 100) return CannotMake(made.path_);
  }
  if (own_id && fchmod(made.folder_.get(), 0711) != 0) return CannotMake(made.path_);
  for (const char* name : kOfTheProgram) {
    if (mkdirat(made.folder_.get(), name, 0700) != 0 ||
        (own_id && fchownat(made.folder_.get(), name, owner, owner, AT_SYMLINK_NOFOLLOW) != 0))
      return CannotMake(made.path_ + "/" + name);
  }
  for (const char* name : kOurs) {
    if (mkdirat(made.folder_.get(), name, 0700) != 0 || fchmodat(made.folder_.get(), name, 0755, 0) != 0)
      return CannotMake(made.path_ + "/" + name);
  }
  return made;
}

Expected<void> RunFolder::Write(const RootFile& file) const {
  auto fd = OpenFile(path_ + file.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (!fd) return std::unexpected(fd.error());
  if (auto written = WriteAll(fd->get(), file.bytes, file.path); !written) return written;
  if (fchmod(fd->get(), 0444) == 0) return {};
  return FailErrno(ErrorCode::kInternal, "cannot write " + file.path, "fchmod");
}

RunFolder::Use RunFolder::Measure(std::int64_t entries_max) const {
  Use use;
  for (const char* name : kOfTheProgram) {
    const UniqueFd folder(openat(folder_.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder.valid()) MeasureTree(folder.get(), entries_max, use.bytes, use.entries);
  }
  return use;
}

void RunFolder::Remove() {
  if (folder_.valid()) EmptyFolder(folder_.get());
  if (!path_.empty()) rmdir(path_.c_str());
  path_.clear();
  folder_.reset();
}

FolderGarbage RemoveStaleFolders(const std::string& temporary) {
  FolderGarbage garbage;
  DIR* entries = opendir(temporary.c_str());
  if (entries == nullptr) return garbage;
  std::vector<std::string> found;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one DIR, one thread
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name.starts_with(kNamePrefix)) found.push_back(temporary + "/" + std::string(name));
  }
  closedir(entries);
  for (const std::string& path : found) {
    const UniqueFd folder = OpenFolder(path);
    struct stat info {};
    // In a folder that all may write, another user may have made one of this name.
    if (!folder.valid() || fstat(folder.get(), &info) != 0 || info.st_uid != geteuid()) continue;
    if (flock(folder.get(), LOCK_EX | LOCK_NB) != 0) continue;
    EmptyFolder(folder.get());
    if (rmdir(path.c_str()) == 0) {
      garbage.removed.push_back(path);
    } else if (errno != ENOENT) {
      garbage.kept.push_back(fmt::format("{} ({})", path, ErrnoName(errno)));
    }
  }
  return garbage;
}

}  // namespace casemate::process
