#include "base/errno.h"

#include <cstring>

namespace casemate {

std::string ErrnoName(int err) {
  const char* name = strerrorname_np(err);
  return name != nullptr ? name : "errno " + std::to_string(err);
}

std::unexpected<Error> FailErrno(ErrorCode code, std::string message, std::string_view what, int err) {
  return Fail(code, std::move(message), std::string(what) + ": " + ErrnoName(err));
}

}  // namespace casemate
