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

// Whether that is the thread sanitizer. In a child that clone(2) has made beside other threads its runtime
// may wait for a lock that one of them held.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitized = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitized = false;
#endif

}  // namespace casemate
