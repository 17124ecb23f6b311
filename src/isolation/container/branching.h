#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// Makes `count` branches of the interpreter of `origin`, which reads `ask` (a frame of session.py) and then
// waits in calls that are answered here. On success nothing of the origin's program lives any more, and each
// branch is ready for its first step, in namespaces, a cgroup and a scratch file system of its own; what they
// share is the origin's user and process ids' range, its listener (family_listener.h), its read-only files,
// and memory, copy-on-write. `origin` keeps its pid 1, which holds the branches' pid namespaces; it is to
// live as long as any of them.
//
// kUnavailable when the origin cannot be copied and goes on as it was. After any other failure nothing of it
// lives: `origin` is to be ended.
Expected<std::vector<ContainerSandbox::Parts>> MakeBranches(ContainerSandbox::Parts& origin,
                                                            std::string_view ask, int count);

}  // namespace casemate::container
