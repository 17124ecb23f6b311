#pragma once

#include <string>
#include <vector>

#include "casemate/result.h"

namespace casemate {

// What a program did to its copy of a folder.
struct Touched {
  struct File {
    std::string name;
    std::string_view what;  // "new", "changed", "removed"
    std::int64_t size_bytes = 0;
  };
  std::vector<File> files;  // by name
  int caches = 0;           // of __pycache__, which nobody wants to read of
};

// Compares what a run has collected of its workspace (everything) with `folder`, which it was a copy of.
// Files that are too large to have been collected count by their size.
Touched CompareWithFolder(const std::vector<OutputFile>& collected, const std::string& folder);

// For people: files, hosts that were reached or asked for in vain, other denials; hostile names are escaped.
std::string TouchedText(const Touched& touched, const std::vector<Denial>& denials,
                        const std::vector<NetworkAttempt>& network);

}  // namespace casemate
