#include "engine/inspect_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/checks/code_checker.h"
#include "runtime/harness_bytecode.h"

namespace casemate {

Expected<bool> InspectCode(const ExecutionRequest& request, const ChecksPolicy& checks,
                           ExecutionResult& result) {
  result.checks = checks.mode;
  if (checks.mode == ChecksMode::kOpen) {
    if (request.allowed_packages.empty() && request.complexity.empty()) return true;
    return Fail(ErrorCode::kInvalidRequest,
                "allowed packages and limits of complexity are for a program that is checked: add --checks "
                "checked or --checks restricted");
  }
  if (!request.code || request.language != "python") {
    return Fail(ErrorCode::kInvalidRequest,
                "checks look at Python code: run a command or another language with --checks open");
  }
  auto checker = CodeChecker::Make(checks);
  if (!checker) return std::unexpected(checker.error());
  CheckReport report;
  if (checks.mode == ChecksMode::kChecked) {
    report = checker->Check(*request.code);
  } else if (!checks.complexity.empty()) {
    report = checker->CheckComplexity(*request.code);
  }
  const bool refused = report.refused();
  result.findings = std::move(report.findings);
  if (!refused) return true;
  AssembleFindings(result);
  return false;
}

void AssembleFindings(ExecutionResult& result) {
  result.status = Status::kRejected;
  result.exit_code.reset();
  result.signal.reset();
  const auto is_error = [](const Finding& finding) { return finding.severity == Severity::kError; };
  const auto first = std::ranges::find_if(result.findings, is_error);
  const auto more = std::ranges::count_if(result.findings, is_error) - 1;
  ProgramError error{"casemate.rejected", "the check refuses the program", "", ""};
  if (first != result.findings.end()) {
    error.message = fmt::format("the check refuses the program: line {}: {}", first->line, first->reason);
    if (more > 0) error.message += fmt::format(", and {} more", more);
    error.hint = first->remedy;
  }
  result.error = std::move(error);
}

Expected<void> AddRestricted(const ChecksPolicy& checks, const std::string& state_dir, LaunchSpec& spec) {
  if (checks.mode != ChecksMode::kRestricted) return {};
  auto files = RestrictedFiles(spec.environment, state_dir);
  if (!files) return std::unexpected(files.error());
  spec.root_files.insert(spec.root_files.end(), files->begin(), files->end());
  return {};
}

}  // namespace casemate
