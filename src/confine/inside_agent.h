#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace casemate {

// Whose files an engine cannot open itself: those of a user namespace that it has made. A child of its own
// enters that, with the id of root there (`change_ids`, where that is not the engine's own), and sends what
// it has opened. -1 for no namespace: the engine opens it itself.
struct InsideOf {
  int user_namespace = -1;
  bool change_ids = true;
};

// The file `name` below `folder`, no part of which is a symbolic link; not valid when it cannot be opened.
UniqueFd OpenInside(const InsideOf& inside, const std::string& folder, const std::string& name, int flags);

// A file that one of `processes` has open, by how its link in /proc/pid/fd begins (a memfd is "/memfd:NAME"),
// opened with O_PATH; not valid when there is none.
UniqueFd FindOpenFile(const InsideOf& inside, std::span<const pid_t> processes, std::string_view begins);

}  // namespace casemate
