#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"
#include "surfaces/cli/cli.h"

namespace casemate {

// The files that `paths` name: themselves, or all regular files below a folder, sorted, without following
// symbolic links. kNotFound for what cannot be read.
Expected<std::vector<std::string>> FilesOf(const std::vector<std::string>& paths);

// How far a command is with many files, on a terminal only: one line that is drawn anew and taken off at the
// end.
class FileProgress {
 public:
  FileProgress(std::size_t files, const CliStreams& streams);
  ~FileProgress();
  FileProgress(const FileProgress&) = delete;
  FileProgress& operator=(const FileProgress&) = delete;

  void Next();

 private:
  const std::size_t files_;
  const CliStreams& streams_;
  const bool terminal_;
  std::size_t done_ = 0;
  std::int64_t drawn_us_ = 0;
  bool drawn_ = false;
};

}  // namespace casemate
