#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// open(2) with O_CLOEXEC added; kNotFound for ENOENT and ENOTDIR, otherwise kInvalidRequest for EACCES and
// EISDIR, kInternal for the rest.
Expected<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode = 0);

// The whole of a file of at most `bytes_max` bytes; a longer one is an error, not a part.
Expected<std::string> ReadFile(const std::string& path, std::size_t bytes_max);
// Reads from `fd` to its end, of at most `bytes_max` bytes. `name` is for the message.
Expected<std::string> ReadAll(int fd, std::size_t bytes_max, std::string_view name);

// Writes all of `bytes`; restarts after EINTR.
Expected<void> WriteAll(int fd, std::string_view bytes, std::string_view name);
// Replaces `path` in one step (temporary file beside it, then rename(2)).
Expected<void> WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode);

// mkdir -p; folders that are made get `mode`.
Expected<void> MakeFolders(const std::string& path, mode_t mode);

bool FileExists(const std::string& path);

// Reads a small file of /proc or /sys, without its last newline; empty when it is not there.
std::string ReadKernelFile(const std::string& path);

// ReadKernelFile for a number; -1 when it is missing or is none.
long long ReadKernelNumber(const std::string& path);

}  // namespace casemate
