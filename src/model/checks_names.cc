#include "casemate/checks.h"

namespace casemate {

std::string_view ChecksModeName(ChecksMode mode) {
  switch (mode) {
    case ChecksMode::kOpen:
      return "open";
    case ChecksMode::kChecked:
      return "checked";
    case ChecksMode::kRestricted:
      return "restricted";
  }
  return "";
}

std::optional<ChecksMode> ParseChecksMode(std::string_view name) {
  for (const ChecksMode mode : {ChecksMode::kOpen, ChecksMode::kChecked, ChecksMode::kRestricted}) {
    if (name == ChecksModeName(mode)) return mode;
  }
  return std::nullopt;
}

std::string_view SeverityName(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

std::optional<Severity> ParseSeverity(std::string_view name) {
  if (name == "error") return Severity::kError;
  if (name == "warning") return Severity::kWarning;
  return std::nullopt;
}

}  // namespace casemate
