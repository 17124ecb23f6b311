#pragma once

#include <sys/stat.h>

#include <string>
#include <utility>
#include <vector>

namespace casemate {

// The files of the host that an interpreter has loaded, as they were when this was made.
class LoadedFiles {
 public:
  LoadedFiles() = default;
  // Paths that do not exist on the host are the sandbox's own, and left out.
  explicit LoadedFiles(const std::vector<std::string>& paths);

  // Whether one of them is gone, or another one by now. One stat(2) each.
  bool HaveChanged() const;

 private:
  struct Mark {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
  };
  static bool Look(const std::string& path, Mark& mark);

  std::vector<std::pair<std::string, Mark>> marks_;
};

}  // namespace casemate
