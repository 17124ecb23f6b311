#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// Programs of ours that are linked into this one as bytes, and run from memory.

// `bytes` as a file in memory that nobody can change any more (memfd_create(2), sealed), close-on-exec;
// `name` is what /proc calls it. kInternal when there is no memory or no descriptor for it.
Expected<UniqueFd> SealedFile(const char* name, std::string_view bytes);

struct HelperStart {
  int program = -1;                // of SealedFile
  std::vector<std::string> words;  // argv
  int socket = -1;                 // all that it gets besides /dev/null and our stderr,
  int socket_as = -1;              // under this number; 0 for its stdin
  // What it keeps of our environment: variables that begin so, as "HOME=" or "AWS_".
  std::span<const std::string_view> variables;
};

// Starts it in a session of its own, with no signal blocked or ignored. 0, or the errno of posix_spawn(3)
// with `pid` -1.
int SpawnHelper(const HelperStart& start, pid_t& pid);

}  // namespace casemate
