#include "engine/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/inspect_code.h"
#include "model/schema.h"

namespace casemate {
namespace {

std::string Seconds(std::int64_t milliseconds) {
  return fmt::format("{:g} s", static_cast<double>(milliseconds) / 1000.0);
}

std::string Mebibytes(std::int64_t bytes) {
  return fmt::format("{:g} MiB", static_cast<double>(bytes) / static_cast<double>(kMiB));
}

void SetInvalid(ExecutionResult& result, std::string message, std::string hint) {
  result.status = Status::kResultInvalid;
  result.result.reset();
  result.error = ProgramError{"casemate.result_invalid", std::move(message), "", std::move(hint)};
}

void TakeResult(const ExecutionRequest& request, HarnessReport& report, ExecutionResult& result) {
  if (report.result_invalid) {
    const ResultInvalid& why = *report.result_invalid;
    SetInvalid(result, why.path.empty() ? why.message : fmt::format("{}: {}", why.path, why.message),
               "set `result` to plain JSON data");
    return;
  }
  if (report.protocol_error) {
    SetInvalid(result, *report.protocol_error, "the program wrote into the channel of its own result");
    return;
  }
  result.result = std::move(report.result);
  if (!request.result_schema) return;
  if (!result.result) {
    SetInvalid(result, "there is a result schema, but the program set no `result`",
               "set the variable `result`");
    return;
  }
  if (auto meets = CheckAgainstSchema(*result.result, *request.result_schema); !meets) {
    SetInvalid(result,
               fmt::format("the result does not meet its schema at \"{}\": {}", meets.error().path,
                           meets.error().message),
               "change the program or the schema");
  }
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool IsInside(std::string_view path, const LaunchSpec& spec) {
  constexpr std::array kOwn = {"/tmp", "/workspace", "/dev", "/proc", "/run", "/etc", "/code", "/casemate"};
  const auto below = [path](const std::string& folder) { return IsBelow(path, folder); };
  if (std::ranges::any_of(kOwn, below) || std::ranges::any_of(spec.environment.read_only_paths, below))
    return true;
  return std::ranges::any_of(spec.mounts,
                             [path](const HostMount& mount) { return IsBelow(path, mount.inside_path); });
}

// A path that the program could not have: its own exception names it. Only an explanation, so it may come
// from inside.
void ExplainPath(const HarnessReport& report, const LaunchSpec& spec, ExecutionResult& result) {
  if (!report.failure || !report.failure->filename || !report.failure->errno_value) return;
  const std::string& path = *report.failure->filename;
  const auto err = static_cast<int>(*report.failure->errno_value);
  if (!path.starts_with('/')) return;
  if (result.isolation.tier == Tier::kProcess) {
    result.denials.push_back(
        {"path", path, 1,
         "this tier gives a program its working folder, $TMPDIR and what is given to it at its own "
         "path (-v PATH:PATH:ro); use these, or run with --isolation container"});
  } else if ((err == ENOENT || err == EACCES) && !IsInside(path, spec)) {
    result.denials.push_back(
        {"path", path, 1, "the sandbox sees no path of the host; give it in with --file, --workspace or -v"});
  } else if (err == EROFS || err == EACCES || err == EPERM) {
    const bool in_workspace = IsBelow(path, "/workspace");
    result.denials.push_back({"path", path, 1,
                              in_workspace ? "the workspace is read-only here; use the mode `copy` or `rw`"
                                           : "write to /workspace or /tmp; all else is read-only"});
  }
}

// Limits that the program met without dying of them.
void ExplainLimits(const Outcome& outcome, ExecutionResult& result) {
  if (outcome.reading.process_refusals > 0) {
    result.denials.push_back({"limit", "processes_max", outcome.reading.process_refusals,
                              "start fewer processes and threads, or raise --pids-limit"});
  }
  if (outcome.reading.tmp_full) {
    result.denials.push_back({"limit", "tmp_bytes", 1, "write less, or raise --tmp-size or --tmp-files"});
  }
}

// Whether so many bytes of tmpfs were in use, as the kernel counted from outside. A look may come too late to
// see a file that is deleted at once; the memory's peak counts tmpfs too, and forgets nothing.
bool WereInUse(std::int64_t bytes, const Usage& usage) {
  constexpr std::int64_t kSmallestInterpreter = 2 * kMiB;
  return usage.tmp_peak_bytes + 4096 >= bytes || usage.memory_peak_bytes >= bytes + kSmallestInterpreter;
}

// The disk limit that the program's own exception tells of: no space left (ENOSPC), or too large a file
// (EFBIG: Python ignores SIGXFSZ). Believed only with the evidence of WereInUse.
std::optional<Denial> DiskLimitMet(const ProgramFailure& failure, const Usage& usage, const Limits& limits) {
  if (failure.errno_value == EFBIG && limits.file_bytes_max && WereInUse(*limits.file_bytes_max, usage)) {
    return Denial{"limit", "file_bytes_max", 1, "write smaller files, or raise --file-size"};
  }
  const bool full = failure.errno_value == ENOSPC || (failure.errno_value == EFBIG && !limits.file_bytes_max);
  if (full && WereInUse(limits.tmp_bytes, usage)) {
    return Denial{"limit", "tmp_bytes", 1, "write less, or raise --tmp-size or --tmp-files"};
  }
  return std::nullopt;
}

void TakeError(const HarnessReport& report, const Limits& limits, ExecutionResult& result) {
  if (result.status == Status::kError && report.failure) {
    result.error = report.failure->error;
    if (result.error->type == "MemoryError") {
      result.error->hint = "ask for less at once, or raise --memory";
      // Believed when the memory in use was seen to be near its limit, from outside.
      if (result.usage.memory_peak_bytes > limits.memory_bytes / 4 * 3) result.status = Status::kMemoryLimit;
    }
    if (const auto limit = DiskLimitMet(*report.failure, result.usage, limits)) {
      result.status = Status::kDiskLimit;
      result.denials.push_back(*limit);
    }
  }
  StatusText text = ExplainStatus(result.status, limits);
  if (text.message.empty()) return;
  if (!result.error)
    result.error = ProgramError{fmt::format("casemate.{}", StatusName(result.status)), "", "", ""};
  if (result.error->message.empty()) result.error->message = std::move(text.message);
  if (result.error->hint.empty()) result.error->hint = std::move(text.hint);
}

}  // namespace

StatusText ExplainStatus(Status status, const Limits& limits) {
  switch (status) {
    case Status::kOk:
    case Status::kError:
    case Status::kResultInvalid:
    case Status::kRejected:
    case Status::kUnavailable:
      return {};
    case Status::kFailed:
      return {"the sandbox itself failed; the program is not to blame", "run casemate doctor, and try again"};
    case Status::kTimeout:
      return {fmt::format("the program ran longer than {} and was ended", Seconds(limits.wall_time_ms)),
              "make it faster, or raise --timeout"};
    case Status::kCpuLimit:
      return {fmt::format("the program used more than {} of CPU time", Seconds(CpuTimeMs(limits))),
              "make it faster, or raise --cpu-time"};
    case Status::kMemoryLimit:
      return {fmt::format("the program needed more than {} of memory", Mebibytes(limits.memory_bytes)),
              "hold less at once, or raise --memory"};
    case Status::kProcessLimit:
      return {fmt::format("the program started more than {} processes and threads", limits.processes_max),
              "start fewer, or raise --pids-limit"};
    case Status::kDiskLimit:
      return {fmt::format("the program wrote more than {} or {} files", Mebibytes(limits.tmp_bytes),
                          limits.tmp_files_max),
              "write less, or raise --tmp-size or --tmp-files"};
    case Status::kOutputLimit:
      return {fmt::format("the program wrote more than {} to stdout or {} to stderr",
                          Mebibytes(limits.stdout_bytes_max), Mebibytes(limits.stderr_bytes_max)),
              "print less, write a file and collect it, or raise --stdout-limit"};
    case Status::kDenied:
      return {"the program was ended for forbidden system calls", "see the denials"};
    case Status::kCancelled:
      return {"the run was cancelled", ""};
  }
  return {};
}

void Assemble(const ExecutionRequest& request, const LaunchSpec& spec, Outcome outcome, HarnessReport report,
              ExecutionResult& result) {
  const Limits& limits = spec.policy.limits;
  result.status = outcome.status;
  result.exit_code = outcome.exit.exit_code;
  result.signal = outcome.exit.signal;
  result.truncated = outcome.truncated;
  result.truncated.displays_cut = report.displays_truncated;
  result.usage = outcome.usage;
  result.denials = std::move(outcome.denials);
  result.stdout_text = std::move(outcome.stdout_text);
  result.stderr_text = std::move(outcome.stderr_text);
  result.displays = std::move(report.displays);
  result.timings.insert(result.timings.end(), report.timings.begin(), report.timings.end());
  ExplainPath(report, spec, result);
  ExplainLimits(outcome, result);
  if (spec.control_channel && result.status == Status::kOk) TakeResult(request, report, result);
  TakeError(report, limits, result);
  // Said before the program's first instruction, by what was there before it.
  if (!report.refusals.empty() && spec.policy.checks.mode == ChecksMode::kRestricted &&
      (outcome.status == Status::kOk || outcome.status == Status::kError)) {
    result.findings = std::move(report.refusals);
    AssembleFindings(result);
  }
}

void AssembleRefusal(const Error& error, ExecutionResult& result) {
  switch (error.code) {
    case ErrorCode::kInvalidRequest:
    case ErrorCode::kNotFound:
      result.status = Status::kRejected;
      break;
    case ErrorCode::kUnavailable:
      result.status = Status::kUnavailable;
      break;
    case ErrorCode::kCancelled:
      result.status = Status::kCancelled;
      break;
    case ErrorCode::kInternal:
      result.status = Status::kFailed;
      break;
  }
  result.error =
      ProgramError{fmt::format("casemate.{}", ErrorCodeName(error.code)), error.ToString(), "", ""};
}

}  // namespace casemate
