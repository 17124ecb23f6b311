#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

// A new folder in memory, removed with all that is in it at the end. Aborts where it cannot be made.
class ScratchFolder {
 public:
  ScratchFolder() : path_("/dev/shm/casemate-fuzz-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  // Absolute.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};
