#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/backend.h"

namespace casemate {

// A remembered EnvironmentView: one small text file, believed only while the files and folders that decided
// it are unchanged (device, inode, size, modification time) and only when it is ours and nobody else can
// write to it. Reading it back costs one stat for each of them.

// The file in `state_dir` for `key` (any text without a newline that names the question).
std::string EnvironmentCachePath(const std::string& state_dir, std::string_view key);

// The view, or nothing when there is none to be believed.
std::optional<EnvironmentView> ReadEnvironmentCache(const std::string& path, std::string_view key);

// Failures are silent: the next run asks the interpreter again. `watch` may name what does not exist.
void WriteEnvironmentCache(const std::string& path, std::string_view key, const EnvironmentView& view,
                           const std::vector<std::string>& watch);

}  // namespace casemate
