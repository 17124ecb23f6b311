#include "base/loaded_files.h"

#include <algorithm>

namespace casemate {

bool LoadedFiles::Look(const std::string& path, Mark& mark) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return false;
  mark = {info.st_dev, info.st_ino, info.st_size, info.st_mtim};
  return true;
}

LoadedFiles::LoadedFiles(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    Mark mark;
    if (Look(path, mark)) marks_.emplace_back(path, mark);
  }
}

bool LoadedFiles::HaveChanged() const {
  return std::ranges::any_of(marks_, [](const auto& entry) {
    const auto& [path, before] = entry;
    Mark now;
    return !Look(path, now) || now.device != before.device || now.inode != before.inode ||
           now.size != before.size || now.modified.tv_sec != before.modified.tv_sec ||
           now.modified.tv_nsec != before.modified.tv_nsec;
  });
}

}  // namespace casemate
