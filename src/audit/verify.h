#pragma once

#include <string>

#include "casemate/audit.h"
#include "casemate/error.h"

namespace casemate::audit {

// Examines the log in `folder`: every hash, every link, every checkpoint's signature, and that the log ends
// where `head` says. Reads only. Findings come in the order of the log, at most kFindingsMax of them.
// kNotFound when there is no log, kInvalidRequest for a public key that cannot be read.
inline constexpr std::size_t kFindingsMax = 1000;
Expected<AuditVerdict> VerifyLog(const std::string& folder, const AuditVerifyOptions& options);

}  // namespace casemate::audit
