#include "policy/checks/rule_walk.h"

#include <algorithm>

#include "policy/checks/constants.h"

namespace casemate {
namespace {

constexpr std::string_view kBuiltins = "builtins.";

std::string_view Shown(std::string_view dotted) {
  if (dotted.starts_with(kBuiltins)) dotted.remove_prefix(kBuiltins.size());
  return dotted;
}

// The first forbidden __name__ inside `text`; "" when there is none.
std::string_view FindDunder(std::string_view text) {
  const auto is_word = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  };
  for (std::size_t at = text.find("__"); at != std::string_view::npos; at = text.find("__", at)) {
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    if (IsForbiddenDunder(text.substr(at, end - at))) return text.substr(at, end - at);
    at = end;
  }
  return {};
}

// Whether a replacement field of a format text ({0.__x__}, {a[__x__]}) reads an inner attribute; which one.
std::string_view FindFormatAttribute(std::string_view text) {
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::string_view field = text.substr(open + 1, text.find('}', open) - open - 1);
    if (!field.contains('.') && !field.contains('[')) continue;
    if (const std::string_view dunder = FindDunder(field); !dunder.empty()) return dunder;
    for (std::size_t dot = field.find('.'); dot != std::string_view::npos; dot = field.find('.', dot + 1)) {
      const std::string_view rest = field.substr(dot + 1);
      const std::string_view name = rest.substr(0, rest.find_first_of(".[!:"));
      if (FindAttribute(name) != nullptr) return name;
    }
  }
  return {};
}

bool IsAttributeSetter(std::string_view symbol) {
  return symbol == "builtins.getattr" || symbol == "builtins.setattr" || symbol == "builtins.delattr";
}

std::string_view Root(std::string_view dotted) { return dotted.substr(0, dotted.find('.')); }

}  // namespace

RuleWalk::RuleWalk(const SourceText& source, const SyntaxTree& tree, const ChecksPolicy& policy,
                   CheckReport& report)
    : source_(source), tree_(tree), policy_(policy), names_(tree), report_(report) {}

void RuleWalk::Run() {
  for (NodeId id = 0; id < tree_.nodes().size() && !report_.cut; ++id) {
    switch (tree_[id].kind) {
      case Kind::kImportStatement:
        CheckImport(id);
        break;
      case Kind::kImportFromStatement:
        CheckFrom(id);
        break;
      case Kind::kIdentifier:
        if (names_.IsRead(id)) CheckRead(id);
        break;
      case Kind::kAttribute:
        CheckAttribute(id);
        break;
      case Kind::kKeywordPattern:
        if (tree_[id].first_child != kNoNode) {
          CheckAttributeName(tree_[id].first_child, PlainName(tree_.TextOf(tree_[id].first_child)));
        }
        break;
      case Kind::kCall:
        CheckCall(id);
        CheckText(id);
        break;
      case Kind::kSubscript:
        CheckSubscript(id);
        CheckText(id);
        break;
      case Kind::kString:
        CheckText(id);
        CheckKey(id);
        break;
      case Kind::kConcatenatedString:
      case Kind::kBinaryOperator:
        CheckText(id);
        break;
      case Kind::kExecStatement:
        Add(id, *FindCallable("builtins.exec"), "exec");
        break;
      default:
        break;
    }
  }
}

bool RuleWalk::IsAllowed(std::string_view dotted) const {
  return std::ranges::any_of(policy_.allowed_packages, [dotted](const std::string& package) {
    return dotted == package ||
           (dotted.starts_with(package) && dotted.size() > package.size() && dotted[package.size()] == '.');
  });
}

std::string RuleWalk::DottedText(NodeId dotted) const {
  std::string text;
  for (const NodeId name : ChildrenOf(tree_, dotted)) {
    text += (text.empty() ? "" : ".") + PlainName(tree_.TextOf(name));
  }
  return text;
}

void RuleWalk::CheckModule(NodeId at, const std::string& dotted) {
  const RuleName* row = FindModule(dotted);
  if (row != nullptr && !IsAllowed(dotted)) Add(at, *row, row->name);
}

// What a module of the standard library has imported for itself.
void RuleWalk::CheckHop(NodeId at, const std::string& module, std::string_view name) {
  const std::string_view bare = name.substr(std::min(name.find_first_not_of('_'), name.size()));
  if (bare.empty() || !IsStandardModule(Root(module))) return;
  const RuleName* row = FindModule(bare);
  if (row == nullptr || IsAllowed(row->name) || IsAllowed(module + "." + std::string(name))) return;
  AddKind(at, "module-hop", name);
}

void RuleWalk::CheckImport(NodeId node) {
  for (const NodeId part : ChildrenOf(tree_, node)) {
    const NodeId dotted = tree_[part].kind == Kind::kAliasedImport ? tree_.Child(part, Field::kName) : part;
    if (dotted == kNoNode) continue;
    const std::string text = DottedText(dotted);
    CheckModule(dotted, text);
    if (FindModule(text) == nullptr && FindCallable(text) != nullptr && !IsAllowed(text)) {
      Add(dotted, *FindCallable(text), text);
    }
  }
}

void RuleWalk::CheckFrom(NodeId node) {
  const NodeId from = tree_.Child(node, Field::kModuleName);
  if (from == kNoNode) return;
  const bool relative = tree_[from].kind == Kind::kRelativeImport;
  const std::string module = relative ? std::string(tree_.TextOf(from)) : DottedText(from);
  const bool refused = !relative && FindModule(module) != nullptr && !IsAllowed(module);
  for (const NodeId part : ChildrenOf(tree_, node)) {
    if (tree_[part].kind == Kind::kWildcardImport) AddKind(part, "star-import", module);
    if (relative || tree_[part].field != Field::kName) continue;
    const NodeId dotted = tree_[part].kind == Kind::kAliasedImport ? tree_.Child(part, Field::kName) : part;
    if (dotted == kNoNode) continue;
    const std::string name = DottedText(dotted);
    const std::string whole = module + "." + name;
    if (refused) {
      // `from os import path` with os.path allowed.
      if (!IsAllowed(whole)) CheckModule(from, module);
    } else {
      CheckHop(dotted, module, name);
    }
    if (const RuleName* row = FindCallable(whole); row != nullptr && !IsAllowed(whole))
      Add(dotted, *row, whole);
    CheckAttributeName(dotted, name);
  }
}

// Whether one of the symbols is forbidden by name; it is then told.
bool RuleWalk::CheckSymbols(NodeId at, const Names::Symbols& symbols) {
  for (const Names::Symbol symbol : symbols) {
    const std::string& dotted = names_.Text(symbol);
    const RuleName* row = FindCallable(dotted);
    if (row == nullptr || IsAllowed(dotted)) continue;
    Add(at, *row, Shown(dotted));
    return true;
  }
  return false;
}

void RuleWalk::CheckRead(NodeId identifier) {
  const std::string_view name = names_.NameAt(identifier);
  const Names::Symbols symbols = names_.Evaluate(identifier);
  if (CheckSymbols(identifier, symbols)) return;
  if (IsForbiddenDunder(name)) {
    AddKind(identifier, "dunder", name);
    return;
  }
  // getattr that is neither called nor given a name may be called anywhere, with any name.
  const SyntaxNode& parent = tree_[tree_[identifier].parent];
  const bool called = parent.kind == Kind::kCall && tree_[identifier].field == Field::kFunction;
  const bool named = parent.kind == Kind::kAssignment && tree_[identifier].field == Field::kRight;
  if (called || named) return;
  for (const Names::Symbol symbol : symbols) {
    if (IsAttributeSetter(names_.Text(symbol))) AddKind(identifier, "computed-attribute", name);
  }
}

void RuleWalk::CheckAttributeName(NodeId at, std::string_view name) {
  if (const RuleName* row = FindAttribute(name)) {
    Add(at, *row, name);
  } else if (IsForbiddenDunder(name)) {
    AddKind(at, "dunder", name);
  }
}

void RuleWalk::CheckAttribute(NodeId node) {
  const NodeId attribute = tree_.Child(node, Field::kAttribute);
  if (attribute == kNoNode) return;
  const std::string_view name = names_.NameAt(attribute);
  CheckAttributeName(attribute, name);
  const NodeId object = tree_.Child(node, Field::kObject);
  const Names::Symbols symbols = names_.Evaluate(object);
  if (symbols.empty()) return;
  if (CheckSymbols(attribute, names_.Evaluate(node))) return;
  for (const Names::Symbol symbol : symbols) {
    const std::string& module = names_.Text(symbol);
    const std::string whole = module + "." + std::string(name);
    const RuleName* row = FindModule(whole);
    // `import os.path` gives the whole of os.
    const bool partly = std::ranges::any_of(policy_.allowed_packages, [&](const std::string& package) {
      return package.starts_with(module + ".");
    });
    if (row != nullptr && partly && !IsAllowed(whole)) Add(attribute, *row, row->name);
    if (row == nullptr) CheckHop(attribute, module, name);
  }
}

void RuleWalk::CheckCall(NodeId node) {
  const NodeId callee = tree_.Child(node, Field::kFunction);
  const Names::Symbols symbols = names_.Evaluate(callee);
  if (symbols.empty()) return;
  const auto arguments = PlainArguments(tree_, node);
  for (const Names::Symbol symbol : symbols) {
    const std::string& name = names_.Text(symbol);
    if (!IsAttributeSetter(name)) continue;
    const auto key = arguments && arguments->size() >= 2 ? FoldText(tree_, (*arguments)[1]) : std::nullopt;
    if (!key) {
      AddKind(callee, "computed-attribute", Shown(name));
      continue;
    }
    CheckAttributeName((*arguments)[1], key->text);
    const Names::Symbols objects = names_.Evaluate((*arguments)[0]);
    for (const Names::Symbol object : objects) CheckHop((*arguments)[1], names_.Text(object), key->text);
  }
  // What getattr(os, "system") and the like come to.
  if (tree_[callee].kind == Kind::kIdentifier) CheckSymbols(node, names_.Evaluate(node));
}

// vars(os)["system"], __builtins__["eval"], locals()[...].
void RuleWalk::CheckSubscript(NodeId node) {
  const NodeId value = tree_.Child(node, Field::kValue);
  const NodeId key = tree_.Child(node, Field::kSubscript);
  if (value == kNoNode || key == kNoNode) return;
  const Names::Symbols symbols = names_.Evaluate(value);
  const auto text = FoldText(tree_, key);
  if (!symbols.empty() && CheckSymbols(key, names_.Evaluate(node))) return;
  bool names_of_something = false;
  if (tree_[value].kind == Kind::kCall) {
    const NodeId function = tree_.Child(value, Field::kFunction);
    for (const Names::Symbol symbol : names_.Evaluate(function)) {
      const std::string& name = names_.Text(symbol);
      names_of_something = name == "builtins.vars" || name == "builtins.locals";
    }
  }
  if (!text && names_of_something) AddKind(key, "computed-attribute", "a namespace");
}

// A text that is in the place of a name: a key, or an argument.
void RuleWalk::CheckKey(NodeId node) {
  const SyntaxNode& parent = tree_[tree_[node].parent];
  const bool key = parent.kind == Kind::kSubscript && tree_[node].field == Field::kSubscript;
  if (!key && parent.kind != Kind::kArgumentList) return;
  const std::string_view written = tree_.TextOf(node);
  if (!written.contains("__") && !written.contains('\\') && !written.contains('{')) return;
  const auto text = FoldText(tree_, node);
  if (text && !text->assembled && IsForbiddenDunder(text->text)) AddKind(node, "dunder", text->text);
}

// Whether a larger expression that has a constant text holds this one.
bool RuleWalk::IsTextPart(NodeId node) const {
  int steps = 0;
  for (NodeId id = tree_[node].parent; id != kNoNode && steps < 4; id = tree_[id].parent, ++steps) {
    switch (tree_[id].kind) {
      case Kind::kBinaryOperator:
      case Kind::kConcatenatedString:
      case Kind::kSubscript:
      case Kind::kCall:
      case Kind::kString:
        if (const auto text = FoldText(tree_, id); text && text->assembled) return true;
        return false;
      case Kind::kExpressionStatement:
      case Kind::kAssignment:
        return false;
      default:
        break;
    }
  }
  return false;
}

void RuleWalk::CheckText(NodeId node) {
  // A literal as it is written has nothing to hide, unless it is a format text.
  if (tree_[node].kind == Kind::kString) {
    const std::string_view written = tree_.TextOf(node);
    if (!written.contains('{') && !written.contains('\\')) return;
  }
  const auto text = FoldText(tree_, node);
  if (!text) return;
  if (const std::string_view name = FindFormatAttribute(text->text); !name.empty() && !IsTextPart(node)) {
    AddKind(node, "format-attribute", name);
    return;
  }
  if (!text->assembled || IsTextPart(node)) return;
  if (const RuleName* row = FindAssembled(text->text)) {
    Add(node, *row, text->text);
  } else if (FindAttribute(text->text) != nullptr) {
    AddKind(node, "assembled-name", text->text);
  } else if (const std::string_view dunder = FindDunder(text->text); !dunder.empty()) {
    AddKind(node, "assembled-name", dunder);
  }
}

void RuleWalk::Add(NodeId at, const CheckRule& rule, std::string_view reason, std::string_view name) {
  if (report_.findings.size() >= kFindingsMax) {
    report_.cut = true;
    return;
  }
  Finding finding;
  finding.rule = rule.id;
  finding.severity = rule.severity;
  finding.reason = Fill(reason, name);
  finding.remedy = Fill(rule.remedy, name);
  source_.Place(tree_[at].begin, finding);
  const auto same = [&](const Finding& other) {
    return other.rule == finding.rule && other.line == finding.line && other.column == finding.column;
  };
  if (std::ranges::any_of(report_.findings, same)) return;
  report_.findings.push_back(std::move(finding));
}

}  // namespace casemate
