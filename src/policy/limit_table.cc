#include "policy/limit_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/units.h"

namespace casemate {
namespace {

constexpr double kDayMs = 24.0 * 60 * 60 * 1000;
constexpr double kCpusMax = 256;
constexpr double kTiB = 1024.0 * static_cast<double>(kGiB);
constexpr double kPage = 4096;

constexpr std::string_view kMoreThanAHost = "no host has more";
constexpr std::string_view kHeldInMemory = "it is held in memory until the run ends";

constexpr std::array kTable = {
    LimitField{"wall_time_ms", LimitUnit::kMilliseconds, &Limits::wall_time_ms, 1, kDayMs,
               "a run without time cannot start", "a run is not a service",
               "time from the program's first instruction to its end"},
    LimitField{"cpu_time_ms", LimitUnit::kMilliseconds, &Limits::cpu_time_ms, 1, kDayMs* kCpusMax,
               "a run without time cannot start", "it could not be used up within the longest wall time",
               "CPU time of all its processes together; unset: cpus times wall_time_ms"},
    LimitField{"cpus", LimitUnit::kCpus, &Limits::cpus, 0.01, kCpusMax,
               "the kernel's smallest quota is 1 ms in every 100 ms", kMoreThanAHost,
               "share of CPU time over any 100 ms; 1 is one full core"},
    LimitField{"memory_bytes", LimitUnit::kBytes, &Limits::memory_bytes, 16.0 * static_cast<double>(kMiB),
               kTiB, "an interpreter does not start in less", kMoreThanAHost,
               "all memory: heap, mappings, tmpfs, shared memory, page tables, socket buffers"},
    LimitField{"processes_max", LimitUnit::kCount, &Limits::processes_max, 2, 65'536,
               "the sandbox's init and the program are two", "the host's own processes need numbers too",
               "processes and threads at one instant, the sandbox's init included"},
    LimitField{"tmp_bytes", LimitUnit::kBytes, &Limits::tmp_bytes, kPage, kTiB,
               "the kernel counts whole pages and takes 0 for no limit", kMoreThanAHost,
               "/tmp, /dev/shm and a copied workspace together; counts towards memory_bytes, which wins"},
    LimitField{"tmp_files_max", LimitUnit::kCount, &Limits::tmp_files_max, 16, 16'777'216,
               "the sandbox's own folders need some and the kernel takes 0 for no limit",
               "each costs the host kernel memory", "files and folders in the same places"},
    LimitField{"file_bytes_max", LimitUnit::kBytes, &Limits::file_bytes_max, kPage, kTiB,
               "the kernel writes whole pages", kMoreThanAHost,
               "the largest single file; unset: tmp_bytes, or no bound in an rw workspace"},
    LimitField{"open_files_max", LimitUnit::kCount, &Limits::open_files_max, 16, 65'536,
               "an interpreter does not start with fewer", "each costs the host kernel memory",
               "descriptors that one process may hold"},
    LimitField{"stdout_bytes_max", LimitUnit::kBytes, &Limits::stdout_bytes_max, 0, static_cast<double>(kGiB),
               "a size cannot be negative", kHeldInMemory, "kept of stdout; one byte more ends the run"},
    LimitField{"stderr_bytes_max", LimitUnit::kBytes, &Limits::stderr_bytes_max, 0, static_cast<double>(kGiB),
               "a size cannot be negative", kHeldInMemory, "kept of stderr; one byte more ends the run"},
    LimitField{"result_bytes_max", LimitUnit::kBytes, &Limits::result_bytes_max, 4, static_cast<double>(kGiB),
               "the shortest result is null", kHeldInMemory, "the JSON text of result"},
    LimitField{"result_depth_max", LimitUnit::kCount, &Limits::result_depth_max, 0, 512,
               "a depth cannot be negative", "readers of JSON run out of stack",
               "nesting of arrays and objects in result; 0: a single value"},
    LimitField{"displays_bytes_max", LimitUnit::kBytes, &Limits::displays_bytes_max, 0,
               static_cast<double>(kGiB), "a size cannot be negative", kHeldInMemory,
               "all plots and tables together"},
    LimitField{"files_bytes_max", LimitUnit::kBytes, &Limits::files_bytes_max, 0,
               4.0 * static_cast<double>(kGiB), "a size cannot be negative", kHeldInMemory,
               "all collected files together"},
};

}  // namespace

std::span<const LimitField> LimitTable() { return kTable; }

const LimitField* FindLimit(std::string_view name) {
  const auto* found =
      std::find_if(kTable.begin(), kTable.end(), [&](const LimitField& f) { return f.name == name; });
  return found == kTable.end() ? nullptr : found;
}

std::optional<double> GetLimit(const Limits& limits, const LimitField& field) {
  struct Getter {
    const Limits& limits;
    std::optional<double> operator()(std::int64_t Limits::*m) const { return static_cast<double>(limits.*m); }
    std::optional<double> operator()(double Limits::*m) const { return limits.*m; }
    std::optional<double> operator()(std::optional<std::int64_t> Limits::*m) const {
      if (!(limits.*m)) return std::nullopt;
      return static_cast<double>(*(limits.*m));
    }
  };
  return std::visit(Getter{limits}, field.member);
}

void SetLimit(Limits& limits, const LimitField& field, double value) {
  struct Setter {
    Limits& limits;
    double value;
    void operator()(std::int64_t Limits::*m) const { limits.*m = static_cast<std::int64_t>(value); }
    void operator()(double Limits::*m) const { limits.*m = value; }
    void operator()(std::optional<std::int64_t> Limits::*m) const {
      limits.*m = static_cast<std::int64_t>(value);
    }
  };
  std::visit(Setter{limits, value}, field.member);
}

std::string FormatLimit(const LimitField& field, double value) {
  switch (field.unit) {
    case LimitUnit::kMilliseconds:
      return FormatDuration(static_cast<std::int64_t>(value));
    case LimitUnit::kBytes:
      return FormatBytes(static_cast<std::int64_t>(value));
    case LimitUnit::kCount:
      return fmt::format("{}", static_cast<std::int64_t>(value));
    case LimitUnit::kCpus:
      return fmt::format("{} CPUs", value);
  }
  std::unreachable();
}

}  // namespace casemate
