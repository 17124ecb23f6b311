// The names that every surface prints and reads. A switch without a default: a new enumerator does not
// compile until it has a name here.
#include <array>
#include <utility>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/request.h"
#include "casemate/status.h"

namespace casemate {
namespace {

constexpr std::array kAllStatuses = {
    Status::kOk,          Status::kError,       Status::kTimeout,
    Status::kCpuLimit,    Status::kMemoryLimit, Status::kProcessLimit,
    Status::kDiskLimit,   Status::kOutputLimit, Status::kResultInvalid,
    Status::kRejected,    Status::kDenied,      Status::kCancelled,
    Status::kUnavailable, Status::kFailed,
};
constexpr std::array kAllTiers = {Tier::kProcess, Tier::kContainer, Tier::kDocker, Tier::kGvisor,
                                  Tier::kMicrovm};
constexpr std::array kAllWorkspaceModes = {WorkspaceMode::kReadOnly, WorkspaceMode::kCopy,
                                           WorkspaceMode::kReadWrite};

// The value among `all` whose name is `name`.
template <typename Values, typename NameOf>
auto FindByName(const Values& all, NameOf name_of, std::string_view name)
    -> std::optional<typename Values::value_type> {
  for (const auto value : all) {
    if (name_of(value) == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidRequest:
      return "invalid_request";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  std::unreachable();
}

std::string Error::ToString() const { return cause.empty() ? message : message + " (" + cause + ")"; }

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kError:
      return "error";
    case Status::kTimeout:
      return "timeout";
    case Status::kCpuLimit:
      return "cpu_limit";
    case Status::kMemoryLimit:
      return "memory_limit";
    case Status::kProcessLimit:
      return "process_limit";
    case Status::kDiskLimit:
      return "disk_limit";
    case Status::kOutputLimit:
      return "output_limit";
    case Status::kResultInvalid:
      return "result_invalid";
    case Status::kRejected:
      return "rejected";
    case Status::kDenied:
      return "denied";
    case Status::kCancelled:
      return "cancelled";
    case Status::kUnavailable:
      return "unavailable";
    case Status::kFailed:
      return "failed";
  }
  std::unreachable();
}

std::optional<Status> ParseStatus(std::string_view name) {
  return FindByName(kAllStatuses, StatusName, name);
}

bool MayHaveRun(Status status) { return status != Status::kRejected && status != Status::kUnavailable; }

std::string_view TierName(Tier tier) {
  switch (tier) {
    case Tier::kProcess:
      return "process";
    case Tier::kContainer:
      return "container";
    case Tier::kDocker:
      return "docker";
    case Tier::kGvisor:
      return "gvisor";
    case Tier::kMicrovm:
      return "microvm";
  }
  std::unreachable();
}

std::optional<Tier> ParseTier(std::string_view name) { return FindByName(kAllTiers, TierName, name); }

std::string_view PolicyClauseName(PolicyClause clause) {
  switch (clause) {
    case PolicyClause::kWallTime:
      return "wall_time";
    case PolicyClause::kCpuTime:
      return "cpu_time";
    case PolicyClause::kCpuShare:
      return "cpu_share";
    case PolicyClause::kMemory:
      return "memory";
    case PolicyClause::kProcesses:
      return "processes";
    case PolicyClause::kDisk:
      return "disk";
    case PolicyClause::kFileSize:
      return "file_size";
    case PolicyClause::kOpenFiles:
      return "open_files";
    case PolicyClause::kOutput:
      return "output";
    case PolicyClause::kFilesystem:
      return "filesystem";
    case PolicyClause::kNetwork:
      return "network";
    case PolicyClause::kPidSpace:
      return "pid_space";
    case PolicyClause::kIdentity:
      return "identity";
    case PolicyClause::kPrivileges:
      return "privileges";
    case PolicyClause::kSyscalls:
      return "syscalls";
    case PolicyClause::kTeardown:
      return "teardown";
  }
  std::unreachable();
}

std::string_view WorkspaceModeName(WorkspaceMode mode) {
  switch (mode) {
    case WorkspaceMode::kReadOnly:
      return "ro";
    case WorkspaceMode::kCopy:
      return "copy";
    case WorkspaceMode::kReadWrite:
      return "rw";
  }
  std::unreachable();
}

std::optional<WorkspaceMode> ParseWorkspaceMode(std::string_view name) {
  return FindByName(kAllWorkspaceModes, WorkspaceModeName, name);
}

}  // namespace casemate
