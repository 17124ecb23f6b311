#pragma once

#include <string>

#include "casemate/error.h"
#include "casemate/limits.h"
#include "confine/file_stream.h"

namespace casemate {

// Streams the tree of the caller's folder `host_path` into a sandbox: folders, regular files (with their
// executable bit) and symbolic links as they are. Devices, sockets and pipes are left out. Refuses at once,
// by name and size, what cannot fit `limits`.
Expected<void> CopyWorkspace(const std::string& host_path, const Limits& limits, FileStreamWriter& writer);

}  // namespace casemate
