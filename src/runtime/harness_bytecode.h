#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/backend.h"

namespace casemate {

// How many of the harness's files only a zygote needs; they come last.
inline constexpr int kZygoteFiles = 2;

// The harness as files of the sandbox's root: the first is what the interpreter is started with
// ("/casemate/harness.pyc"), the last two are the fork server of warm cells (runtime/python/zygote.py) and
// the steps of a session (session.py). The harness is compiled once for each interpreter, by that
// interpreter, and kept in `state_dir`/cache, where a file that is damaged or of another harness is replaced.
// Where nothing can be kept there, the files are sources ("/casemate/harness.py"): a slower start, not an
// error. Error: kUnavailable when the environment has no Python.
Expected<std::vector<RootFile>> HarnessFiles(const EnvironmentView& environment,
                                             const std::string& state_dir);

// Whether RestrictedPython, which is built in, works with that Python ("3.11.2"). kUnavailable when it does
// not.
Expected<void> CanRestrict(std::string_view python_version);

// What a restricted program needs besides: RestrictedPython and its policy (runtime/python/restricted.py).
// kUnavailable also where the environment's Python is too old for RestrictedPython.
Expected<std::vector<RootFile>> RestrictedFiles(const EnvironmentView& environment,
                                                const std::string& state_dir);

}  // namespace casemate
