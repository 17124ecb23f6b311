#include "policy/checks/code_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "policy/checks/measure_complexity.h"
#include "policy/checks/rule_walk.h"
#include "policy/checks/rules.h"
#include "policy/checks/source_text.h"
#include "policy/checks/syntax_tree.h"

namespace casemate {
namespace {

// Deeper than CPython's own parser goes, and no deeper than our walks may.
constexpr std::uint32_t kTreeDepthMax = 3000;

bool IsDottedName(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.back() == '.' || name.contains("..")) return false;
  return std::ranges::all_of(name, [](char c) {
    return c == '_' || c == '.' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
}

void ApplyLimits(const ChecksPolicy& policy, CheckReport& report) {
  for (const auto& [name, most] : policy.complexity) {
    const ComplexityField* field = FindComplexity(name);
    for (std::size_t i = 0; i < report.complexity.size(); ++i) {
      if ((i > 0) != field->per_function) continue;
      const Complexity& measure = report.complexity[i];
      if (measure.*field->member <= most) continue;
      const std::string where = i > 0 ? fmt::format(" in {}", measure.name) : "";
      Finding finding = MakeFinding(
          "too-complex",
          fmt::format("{}{}: {}, and at most {} may be", field->plural, where, measure.*field->member, most));
      finding.line = measure.line;
      finding.column = 1;
      report.findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

bool CheckReport::refused() const {
  return std::ranges::any_of(findings, [](const Finding& f) { return f.severity == Severity::kError; });
}

Expected<CodeChecker> CodeChecker::Make(ChecksPolicy policy) {
  for (const std::string& package : policy.allowed_packages) {
    if (!IsDottedName(package)) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("\"{}\" is no package's name: write it as in an import, such as os.path", package));
    }
  }
  for (const auto& [name, most] : policy.complexity) {
    if (FindComplexity(name) == nullptr) {
      std::string known;
      for (const ComplexityField& field : kComplexityFields) {
        known += fmt::format("{}{}", known.empty() ? "" : ", ", field.name);
      }
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("there is no measure \"{}\" of a program: the measures are {}", name, known));
    }
    if (most < 0) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("the most that {} may be is {}, and must not be below 0", name, most));
    }
  }
  return CodeChecker(std::move(policy));
}

CheckReport CodeChecker::Check(std::string_view source) const { return Run(source, true); }

CheckReport CodeChecker::CheckComplexity(std::string_view source) const { return Run(source, false); }

CheckReport CodeChecker::Run(std::string_view source, bool rules) const {
  CheckReport report;
  SourceText text;
  if (auto finding = SourceText::Read(source, text)) {
    report.findings.push_back(*std::move(finding));
    return report;
  }
  const auto tree = SyntaxTree::Parse(text.text());
  const auto refuse = [&](std::string_view kind, std::string_view what, std::size_t at) {
    Finding finding = MakeFinding(kind, what);
    text.Place(at, finding);
    report.findings.push_back(std::move(finding));
  };
  if (!tree) {
    refuse("syntax-error", "the text cannot be read as Python in reasonable time", 0);
    return report;
  }
  const auto& nodes = tree->nodes();
  const auto deepest = std::ranges::max_element(nodes, {}, &SyntaxNode::depth);
  if (deepest != nodes.end() && deepest->depth > kTreeDepthMax) {
    refuse("too-deep", fmt::format("{} levels of expressions", deepest->depth), deepest->begin);
    return report;
  }
  report.complexity = MeasureComplexity(*tree);
  if (tree->error_at()) refuse("syntax-error", "this cannot be read as Python", *tree->error_at());
  if (rules) RuleWalk(text, *tree, policy_, report).Run();
  ApplyLimits(policy_, report);
  std::ranges::sort(report.findings, {}, [](const Finding& finding) {
    return std::tie(finding.line, finding.column, finding.rule, finding.reason);
  });
  return report;
}

}  // namespace casemate
