#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "casemate/audit.h"

namespace casemate {

// The record as an event of the Open Cybersecurity Schema Framework 1.3: Process Activity (1007), Launch for
// an intent and Terminate for an outcome.
std::optional<std::string> ExportOcsf(std::string_view record);

// A run as a line of comma-separated values (RFC 4180), and the line that names the columns. Cells that a
// spreadsheet would take for a formula begin with an apostrophe.
std::string CsvHead();
std::string CsvLine(const AuditRun& run);

// One JSON object.
std::string RunJson(const AuditRun& run);

}  // namespace casemate
