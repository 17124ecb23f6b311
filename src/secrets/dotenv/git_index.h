#pragma once

#include <string>
#include <string_view>

namespace casemate::secrets {

// Whether the git repository that `path` (absolute) lies in tracks it, by the repository's index alone: no
// program of git's is started, since a repository can make it start others. False where that cannot be told.
bool IsTrackedByGit(const std::string& path);

// Whether `index`, a file in git's index format (gitformat-index(5), versions 2 to 4), has the entry `name`.
// The bytes may be hostile.
bool GitIndexHas(std::string_view index, std::string_view name);

}  // namespace casemate::secrets
