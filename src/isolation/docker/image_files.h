#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "casemate/backend.h"

namespace casemate::docker {

// One entry of an image, by its path inside ("/usr/bin/python3.11").
struct ImageEntry {
  enum class Kind { kFolder, kFile, kSymlink };
  Kind kind = Kind::kFolder;
  mode_t mode = 0755;
  std::string host_path;  // of a file with the host's content
  std::string content;    // a file's own text, when there is no host path; a link's target
};
using ImageEntries = std::map<std::string, ImageEntry>;

// All files of the image for `environment`: its interpreter and packages without pip, the commands and files
// of profiles/docker/image.toml, every shared library that any of them names, and what is ours: users, names,
// places to mount at. Setuid and setgid bits are gone.
Expected<ImageEntries> ListImageFiles(const EnvironmentView& environment);

}  // namespace casemate::docker
