#pragma once

#include <string>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/limits.h"
#include "confine/file_stream.h"

namespace casemate {

// Streams the tree of the caller's folder `host_path` into a sandbox: folders, regular files (with their
// executable bit) and symbolic links as they are. Devices, sockets and pipes are left out. Refuses at once,
// by name and size, what cannot fit `limits`.
Expected<void> CopyWorkspace(const std::string& host_path, const Limits& limits, FileStreamWriter& writer);

// All that a run is given to find in its workspace, over the launch socket: the copy of a folder, if one is
// asked for, then the files, which win over the folder's.
Expected<void> SendGivenFiles(const LaunchSpec& spec, int socket);

}  // namespace casemate
