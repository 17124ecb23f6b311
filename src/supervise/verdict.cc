#include "supervise/verdict.h"

#include <csignal>

namespace casemate {
namespace {

// A program that meets the process limit now and then may cope (a pool that shrinks); one that hammers on it
// is a fork bomb.
constexpr std::int64_t kProcessRefusalsMax = 64;

bool Failed(const ExitReport& exit) { return exit.exit_code.value_or(1) != 0; }

bool CpuTimeUsedUp(const ResourceReading& reading, const Limits& limits) {
  return reading.cpu_time_us >= CpuTimeMs(limits) * 1000;
}

}  // namespace

std::optional<Status> LimitExceeded(const ResourceReading& reading, const Limits& limits) {
  if (reading.memory_kills > 0 || reading.memory_over) return Status::kMemoryLimit;
  if (reading.disk_over) return Status::kDiskLimit;
  if (CpuTimeUsedUp(reading, limits)) return Status::kCpuLimit;
  if (reading.process_refusals > kProcessRefusalsMax) return Status::kProcessLimit;
  return std::nullopt;
}

Status Decide(const Evidence& evidence, const Limits& limits) {
  const ExitReport& exit = evidence.exit;
  const ResourceReading& reading = evidence.reading;
  // The kernel's own kill comes before a limit that fired while the run died of it.
  if (reading.memory_kills > 0 && evidence.killed_for != Status::kCancelled) return Status::kMemoryLimit;
  if (evidence.killed_for) return *evidence.killed_for;
  if (exit.init_failed) return Status::kFailed;
  if (!Failed(exit)) return Status::kOk;
  if (CpuTimeUsedUp(reading, limits)) return Status::kCpuLimit;
  // SIGSYS: seccomp killed it for a system call by another architecture's numbers.
  if (exit.signal == SIGSYS) return Status::kDenied;
  if (exit.signal == SIGXFSZ || reading.tmp_full) return Status::kDiskLimit;
  if (reading.process_refusals > 0) return Status::kProcessLimit;
  return Status::kError;
}

}  // namespace casemate
