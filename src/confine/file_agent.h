#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/result.h"

namespace casemate {

// The regular files below `folder` of a sandbox that has ended. A short-lived child enters the sandbox's
// user namespace, takes the program's ids, walks the tree by descriptor (no symbolic link, no pipe, no
// device is ever opened) and hands over each file's open descriptor: the engine itself never follows a
// path that the program made, and has no more rights to it than the program had.
// `uid` is the program's id inside; `change_ids` false when the caller's own id is the only one mapped. A
// sandbox without a user namespace has -1 for it, and `uid` is a host's.
Expected<std::vector<OutputFile>> CollectFiles(int folder, int user_namespace, uid_t uid, bool change_ids,
                                               const std::function<bool(std::string_view)>& wanted,
                                               std::int64_t bytes_max);

}  // namespace casemate
