#include "confine/descriptor_limit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/errno.h"

namespace casemate {

Expected<void> RaiseDescriptorLimit(rlim_t needed) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return {};
  if (limit.rlim_max < needed) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the hard limit of open files is {}, {} are needed; raise it with ulimit -Hn, or "
                            "LimitNOFILE= of the service",
                            limit.rlim_max, needed));
  }
  limit.rlim_cur = std::min(limit.rlim_max, 2 * needed);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return FailErrno(ErrorCode::kUnavailable, "cannot raise the limit of open files", "setrlimit");
  }
  return {};
}

}  // namespace casemate
