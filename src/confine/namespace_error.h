#pragma once

#include "casemate/error.h"

namespace casemate {

// Why clone3(2) made no namespaces for this user, with what to do about it. `err` is its errno.
std::unexpected<Error> NamespaceError(int err);

// Whether this user may make the namespaces of a sandbox; otherwise NamespaceError().
Expected<void> CheckNamespaces();

}  // namespace casemate
