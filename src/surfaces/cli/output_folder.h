#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/result.h"

namespace casemate {

// A folder of the host that files of a program are written into. Names come from the program and are
// hostile: nothing outside the folder is ever written, no link is followed, and what is there already stays
// unless `force`.
class OutputFolder {
 public:
  // Makes the folder and those above it where they are missing.
  static Expected<OutputFolder> Open(const std::string& path, bool force);

  // Writes a new file, with the folders that `name` needs. kInvalidRequest for a name that is refused or
  // taken; the message names it with its control characters escaped.
  Expected<void> Write(std::string_view name, std::string_view bytes);

 private:
  OutputFolder(UniqueFd folder, bool force) : folder_(std::move(folder)), force_(force) {}
  UniqueFd folder_;
  bool force_;
};

// What was written into the folder, and what was not.
struct WrittenOutput {
  std::vector<std::string> names;
  std::vector<std::string> problems;  // one sentence each
  bool failed = false;                // one of them is the host's: the disk is full, for instance
};

// Writes the collected files under their names and the displays as display-1.png, display-2.html, ...
WrittenOutput WriteOutput(const ExecutionResult& result, OutputFolder& folder);

}  // namespace casemate
