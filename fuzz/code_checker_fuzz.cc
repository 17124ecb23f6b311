// link: policy_checks model base
// Any bytes as a program: what comes of them is bounded, tells where and why, and is the same each time,
// unless it takes about as long as a text may.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "policy/checks/code_checker.h"

namespace {

bool RanOutOfTime(const casemate::CheckReport& report) {
  return std::ranges::any_of(report.findings, [](const casemate::Finding& finding) {
    return finding.reason.find("in reasonable time") != std::string::npos;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using casemate::CodeChecker;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto checker = CodeChecker::Make({.allowed_packages = {"os.path"}, .complexity = {{"loops", 3}}});
  if (!checker) std::abort();
  const casemate::CheckReport report = checker->Check(text);
  if (report.findings.size() > casemate::kFindingsMax + 100) std::abort();
  const casemate::CheckReport again = checker->Check(text);
  const bool same = report.findings == again.findings && report.complexity == again.complexity;
  if (!same && !RanOutOfTime(report) && !RanOutOfTime(again)) std::abort();
  for (const casemate::Finding& finding : report.findings) {
    if (finding.rule.empty() || finding.reason.empty() || finding.remedy.empty()) std::abort();
    if (finding.line < 0 || finding.column < 0 || finding.snippet.size() > 200) std::abort();
    if (!casemate::IsValidUtf8(finding.snippet) || !casemate::IsValidUtf8(finding.reason)) std::abort();
  }
  for (const casemate::Complexity& complexity : report.complexity) {
    if (complexity.cyclomatic < 1 || complexity.loop_depth > complexity.loops) std::abort();
  }
  return 0;
}
