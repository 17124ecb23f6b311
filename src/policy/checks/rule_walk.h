#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/checks.h"
#include "policy/checks/code_checker.h"
#include "policy/checks/names.h"
#include "policy/checks/rules.h"
#include "policy/checks/source_text.h"
#include "policy/checks/syntax_tree.h"

namespace casemate {

// Applies the rules about names, attributes, imports and texts to each node of a tree, once.
class RuleWalk {
 public:
  RuleWalk(const SourceText& source, const SyntaxTree& tree, const ChecksPolicy& policy, CheckReport& report);
  void Run();

 private:
  void CheckImport(NodeId node);
  void CheckFrom(NodeId node);
  void CheckRead(NodeId identifier);
  void CheckAttribute(NodeId node);
  void CheckAttributeName(NodeId at, std::string_view name);
  void CheckCall(NodeId node);
  void CheckSubscript(NodeId node);
  void CheckText(NodeId node);
  void CheckKey(NodeId node);
  bool CheckSymbols(NodeId at, const Names::Symbols& symbols);
  void CheckModule(NodeId at, const std::string& dotted);
  void CheckHop(NodeId at, const std::string& module, std::string_view name);

  bool IsAllowed(std::string_view dotted) const;
  bool IsTextPart(NodeId node) const;
  std::string DottedText(NodeId dotted) const;

  void Add(NodeId at, const CheckRule& rule, std::string_view reason, std::string_view name);
  void Add(NodeId at, const RuleName& row, std::string_view name) {
    Add(at, CheckRules()[static_cast<std::size_t>(row.rule)], row.reason, name);
  }
  void AddKind(NodeId at, std::string_view kind, std::string_view name) {
    const CheckRule& rule = RuleOfKind(kind);
    Add(at, rule, rule.reason, name);
  }

  const SourceText& source_;
  const SyntaxTree& tree_;
  const ChecksPolicy& policy_;
  const Names names_;
  CheckReport& report_;
};

}  // namespace casemate
