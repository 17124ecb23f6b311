#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// The symbolic name of `err` ("ENOENT"), or "errno 123" for one without a name.
std::string ErrnoName(int err);

// The one place where errno becomes an Error: `message` is for the caller, `what` names the call and its
// object ("open /proc/1/ns/user"). A lack of descriptors is told as that, and as kUnavailable, whatever met
// it.
std::unexpected<Error> FailErrno(ErrorCode code, std::string message, std::string_view what, int err = errno);

}  // namespace casemate
