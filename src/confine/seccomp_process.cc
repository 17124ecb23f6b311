#include "confine/seccomp_filter.h"

namespace casemate {

const SeccompTables& ProcessSeccompTables() {
#if defined(__x86_64__)
  return ProcessSeccompX8664();
#elif defined(__aarch64__)
  return ProcessSeccompAarch64();
#else
#error "profiles/seccomp/process.toml has no filter for this architecture"
#endif
}

}  // namespace casemate
