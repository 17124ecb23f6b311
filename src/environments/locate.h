#pragma once

#include <string>

#include "casemate/error.h"

namespace casemate {

// The absolute path, as found and with no link resolved, of `wanted` (a path, a name for PATH, or "" for
// $CASEMATE_PYTHON and then python3). PATH entries that are not absolute are ignored. kNotFound otherwise.
Expected<std::string> LocateInterpreter(const std::string& wanted);

// Whether `path` starts with "#!": what it runs may then depend on the environment and the working folder.
bool IsScript(const std::string& path);

}  // namespace casemate
