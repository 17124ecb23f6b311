#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// What a stranger's archive may become on this host's disk.
struct TreeLimits {
  std::int64_t bytes_max = std::int64_t{8} << 30;
  std::int64_t files_max = 1'000'000;  // folders and links too
};

// How paths of an archive are walked.
enum class TreeLinks {
  kNone,    // there are none in the tree, and none is made (a wheel)
  kInRoot,  // a link leads nowhere but into the tree, as in a container (an image)
};

// Writes files below one folder and nowhere else: each path is walked by the kernel with openat2(2), which
// refuses to leave the folder, whatever links the archive made before. One owner, one thread.
class TreeWriter {
 public:
  // `root` outlives it.
  TreeWriter(int root, TreeLinks links, const TreeLimits& limits)
      : root_(root), links_(links), limits_(limits) {}

  // A relative path without "..", "." and empty parts, at most 4096 bytes and 64 deep. kInvalidRequest.
  static Expected<std::string> CheckPath(std::string_view path);

  Expected<void> Folder(const std::string& path, mode_t mode);
  // A new file, with its missing parents. Replaces what is there when `replace`, otherwise that is an error.
  Expected<UniqueFd> File(const std::string& path, mode_t mode, bool replace);
  Expected<void> Symlink(const std::string& path, const std::string& target);
  // Another name of a file of the tree; the last part of `target` is not followed.
  Expected<void> Hardlink(const std::string& path, const std::string& target);
  // A file, or a folder with all that is in it; nothing when it is not there.
  Expected<void> Remove(const std::string& path);
  // All that is in a folder.
  Expected<void> Empty(const std::string& path);
  // Counts what is about to be written. kInvalidRequest above the limits.
  Expected<void> Count(std::int64_t bytes, std::int64_t files);

  std::int64_t bytes() const { return bytes_; }
  std::int64_t files() const { return files_; }

 private:
  struct Place {
    int folder;  // owned by parent_
    std::string name;
  };
  // The folder that `path` is in, made if missing.
  Expected<Place> Find(const std::string& path, bool make);
  Expected<UniqueFd> OpenFolder(const std::string& path, bool make);

  int root_;
  TreeLinks links_;
  TreeLimits limits_;
  std::string parent_path_ = "/";  // of the folder that is open; "/" for none
  UniqueFd parent_;
  std::int64_t bytes_ = 0;
  std::int64_t files_ = 0;
};

}  // namespace casemate
