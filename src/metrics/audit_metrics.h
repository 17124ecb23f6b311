#pragma once

#include <string>

#include "metrics/exposition.h"

namespace casemate {

// How long the audit log in `state_dir` is, and how far each of its sinks: read from what they write down, so
// that it is the same whoever ships.
void WriteAuditMetrics(const std::string& state_dir, Exposition& out);

}  // namespace casemate
