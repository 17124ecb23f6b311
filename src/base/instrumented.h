#pragma once

namespace casemate {

// Whether a sanitizer is compiled in that has shadow memory: it takes terabytes of address space at the
// start, which limits on a process's memory count, and each thread makes a system call of its own
// (sigaltstack). The test presets alone set it; what is shipped has none.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kInstrumented = true;
#elif defined(__has_feature)
inline constexpr bool kInstrumented = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool kInstrumented = false;
#endif

// Whether that is the thread sanitizer. It knows nothing of a child that clone(2) has made: it takes that for
// one more thread of its parent, and may wait in it for a lock that another thread held.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitized = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitized = false;
#endif

}  // namespace casemate
