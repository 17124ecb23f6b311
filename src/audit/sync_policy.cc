#include "casemate/audit.h"

namespace casemate {

std::string_view SyncPolicyName(SyncPolicy policy) {
  return policy == SyncPolicy::kDisk ? "disk" : "written";
}

std::optional<SyncPolicy> ParseSyncPolicy(std::string_view name) {
  if (name == "disk") return SyncPolicy::kDisk;
  if (name == "written") return SyncPolicy::kWritten;
  return std::nullopt;
}

}  // namespace casemate
