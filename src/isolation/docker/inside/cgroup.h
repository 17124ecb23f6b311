#pragma once

#include <string>

#include "base/unique_fd.h"

namespace casemate::docker {

// The counters of the attendant's own cgroup (version 2), in a guest whose init has opened its folder for it
// as descriptor 3; elsewhere the engine reads them from outside.
class Cgroup {
 public:
  // Takes the descriptor, so that no program has it.
  explicit Cgroup(bool given);

  // The payload of Wire::kCounted; "" where there is none.
  std::string Count() const;

 private:
  unsigned long long Number(const char* file, const char* key) const;

  UniqueFd folder_;
  mutable unsigned long long processes_peak_ = 0;
};

}  // namespace casemate::docker
