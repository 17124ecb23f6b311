#pragma once

#include <cstdint>
#include <optional>

namespace casemate {

inline constexpr std::int64_t kKiB = 1024;
inline constexpr std::int64_t kMiB = 1024 * kKiB;
inline constexpr std::int64_t kGiB = 1024 * kMiB;

// What one run may use. The defaults are the product's; every field is enforced or the run says that
// it is not. Ranges are checked by ValidateLimits (src/policy/).
struct Limits {
  // From the program's first instruction to its end, by the monotonic clock.
  std::int64_t wall_time_ms = 30'000;
  // User plus system time of all processes of the run together; unset means CpuTimeMs below.
  std::optional<std::int64_t> cpu_time_ms;
  // Share of CPU time over any 100 ms; 1.0 is one full core.
  double cpus = 1.0;
  // All memory charged to the run: heap, mappings, tmpfs, shared memory, page tables, socket buffers.
  std::int64_t memory_bytes = 256 * kMiB;
  // Processes and threads at one instant, the sandbox's own init included.
  std::int64_t processes_max = 64;
  // /tmp, /dev/shm and a copied workspace together; counts towards memory_bytes too.
  std::int64_t tmp_bytes = 64 * kMiB;
  // Files and folders in those.
  std::int64_t tmp_files_max = 16'384;
  // The largest single file (RLIMIT_FSIZE); unset means tmp_bytes, or no bound in an `rw` workspace.
  std::optional<std::int64_t> file_bytes_max;
  // Descriptors of one process (RLIMIT_NOFILE).
  std::int64_t open_files_max = 1024;
  // Kept of each stream; the run ends with output_limit when one is exceeded.
  std::int64_t stdout_bytes_max = kMiB;
  std::int64_t stderr_bytes_max = kMiB;
  // The JSON text of `result`.
  std::int64_t result_bytes_max = kMiB;
  // Nesting of arrays and objects in `result`.
  std::int64_t result_depth_max = 64;
  // All displays (plots, tables) together.
  std::int64_t displays_bytes_max = 16 * kMiB;
  // All collected files together.
  std::int64_t files_bytes_max = 64 * kMiB;

  friend bool operator==(const Limits&, const Limits&) = default;
};

// The CPU time that a run may use. Without a limit of its own it is what `cpus` allows until the deadline,
// and a second more, so that a busy loop ends as a timeout and nothing else.
inline std::int64_t CpuTimeMs(const Limits& limits) {
  constexpr std::int64_t kSlackMs = 1000;
  return limits.cpu_time_ms.value_or(
      static_cast<std::int64_t>(limits.cpus * static_cast<double>(limits.wall_time_ms)) + kSlackMs);
}

}  // namespace casemate
