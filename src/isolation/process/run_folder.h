#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "casemate/error.h"

namespace casemate::process {

// A run's own folder, "<temporary>/casemate-run-<16 hex digits>": what a private root is elsewhere. Below it
// are
//   workspace, tmp     the program's, 0700
//   casemate, code     files of ours, not writable for it
// It is locked (flock(2)) by whoever holds lock_fd(), which the keeper does as well; one that nobody locks
// was left by an engine that was killed. The destructor removes it: nothing of the run may live by then. Not
// thread-safe.
class RunFolder {
 public:
  // `owner`: the program's host id, or -1 for the caller's own.
  static Expected<RunFolder> Make(const std::string& temporary, uid_t owner);
  RunFolder() = default;
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&& other) noexcept;
  ~RunFolder() { Remove(); }

  const std::string& path() const { return path_; }
  int lock_fd() const { return folder_.get(); }
  // `file.path` is absolute and stands for the same path below this folder.
  Expected<void> Write(const RootFile& file) const;

  // What lies in workspace and tmp: bytes on the disk and entries, down to 128 folders. Looks at no more than
  // `entries_max`. The program may change it meanwhile; no link is followed.
  struct Use {
    std::int64_t bytes = 0;
    std::int64_t entries = 0;
  };
  Use Measure(std::int64_t entries_max) const;

  void Remove();

 private:
  std::string path_;
  UniqueFd folder_;
};

// Removes the folders of this user that killed engines left in `temporary`; the names of those removed, and
// of those that could not be.
struct FolderGarbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
FolderGarbage RemoveStaleFolders(const std::string& temporary);

}  // namespace casemate::process
