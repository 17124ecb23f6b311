#pragma once

#include "casemate/error.h"
#include "casemate/session.h"

namespace casemate {

// The workspace of a sandbox that lives, whose program may change it at the same time.
struct WorkspaceFolder {
  int folder = -1;
  int user_namespace = -1;
  bool change_ids = true;  // false when the caller's own id is the only one mapped
};

// Does what `request` asks, in a short-lived child that enters the sandbox's user namespace, takes the
// program's ids and finds each path by openat2(2) with RESOLVE_BENEATH: neither a link, nor "..", nor a
// rename in the middle leads out, and nothing is done that the program itself could not do. What is no
// regular file is neither read nor written. Blocks. kInvalidRequest for a path or an act that cannot be,
// kNotFound for what is not there; kUnavailable when the workspace is full.
Expected<FileAnswer> UseWorkspace(const WorkspaceFolder& workspace, const FileRequest& request);

}  // namespace casemate
