#pragma once

#include <string>
#include <utility>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// Works out which host folders must be bound, and which links made, so that a set of paths means the same
// in a sandbox as on the host. Every folder is bound at its real path; a link on the way to it that lies
// outside the bound folders is made again. Reads the host's file system; one owner, one thread.
class FileView {
 public:
  enum class Verdict {
    kFine,
    kExposes,  // the file system's root, a home folder or another that holds more than programs
    kHidden,   // below a folder that each sandbox has of its own (/tmp, /proc, ...)
  };

  // `home` is the caller's home folder; "" for none.
  explicit FileView(std::string home) : home_(std::move(home)) {}

  // Whether the folder at `path` (links resolved) may be bound as a whole.
  Verdict Judge(const std::string& path) const;

  // Binds the real folder or file behind `path`; nothing when it does not exist.
  void Bind(const std::string& path);
  // Binds what stands at /usr, /lib and so on.
  void BindSystem();
  // Whether the real path of `path` is inside what was bound.
  bool Covers(const std::string& path) const;
  // Whether `path`, as it is spelt, is inside what was bound.
  bool IsBound(const std::string& path) const;

  // After all Bind(): makes the links that a walk along `path` needs.
  void Link(const std::string& path);
  void LinkSystem();

  // Parents first; none is inside another.
  std::vector<std::string> bound() const;
  const std::vector<std::pair<std::string, std::string>>& links() const { return links_; }

 private:
  std::string home_;
  std::vector<std::string> bound_;
  std::vector<std::pair<std::string, std::string>> links_;
};

// `path` with every link resolved; "" when it does not exist.
std::string RealPath(const std::string& path);

}  // namespace casemate
