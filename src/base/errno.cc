#include "base/errno.h"

#include <cstring>

namespace casemate {

std::string ErrnoName(int err) {
  const char* name = strerrorname_np(err);
  return name != nullptr ? name : "errno " + std::to_string(err);
}

std::unexpected<Error> FailErrno(ErrorCode code, std::string message, std::string_view what, int err) {
  if (err == EMFILE || err == ENFILE) {
    code = ErrorCode::kUnavailable;
    message =
        "out of file descriptors: do less at one time, or raise the limit with ulimit -n, or LimitNOFILE= "
        "of the service";
  }
  return Fail(code, std::move(message), std::string(what) + ": " + ErrnoName(err));
}

}  // namespace casemate
