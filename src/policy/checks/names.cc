// Theory of operation. Four walks over the flat tree: find the scope of each node; carry out `global` and
// `nonlocal`; bind names, and note which value flows into which; let the values flow until nothing changes.
// Each name thus has a set of all that it may ever be, which errs on the side of a finding.
#include "policy/checks/names.h"

#include <algorithm>
#include <cstring>

#include "policy/checks/constants.h"
#include "policy/checks/rules.h"

namespace casemate {
namespace {

constexpr int kDepthMax = 100;
// A chain of so many names, each bound before the next one's value is known, is no program's.
constexpr int kRoundsMax = 50;
// What a name may stand for; more is noise.
constexpr std::size_t kSymbolsMax = 64;

bool IsAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool IsDefinition(Kind kind) { return kind == Kind::kFunctionDefinition || kind == Kind::kLambda; }

bool IsComprehension(Kind kind) {
  return kind == Kind::kListComprehension || kind == Kind::kSetComprehension ||
         kind == Kind::kDictionaryComprehension || kind == Kind::kGeneratorExpression;
}

bool IsSequence(Kind kind) {
  return kind == Kind::kTuple || kind == Kind::kList || kind == Kind::kExpressionList ||
         kind == Kind::kPatternList || kind == Kind::kTuplePattern || kind == Kind::kListPattern;
}

}  // namespace

std::size_t Names::ShortHash::operator()(std::string_view name) const {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  const std::size_t part = std::min<std::size_t>(name.size(), sizeof first);
  std::memcpy(&first, name.data(), part);
  std::memcpy(&last, name.data() + name.size() - part, part);
  std::uint64_t hash = (first ^ (last * 0x9E3779B97F4A7C15U) ^ name.size()) * 0xD6E8FEB86659FD93U;
  hash ^= hash >> 32;
  return hash * 0xD6E8FEB86659FD93U;
}

Names::Names(const SyntaxTree& tree) : tree_(tree) {
  reads_.resize(tree.nodes().size());
  name_of_.resize(tree.nodes().size());
  for (const RuleName& row : RuleNames()) {
    constexpr std::string_view kBuiltins = "builtins.";
    if (!row.name.starts_with(kBuiltins)) continue;
    const auto id = static_cast<NameId>(names_.size());
    names_.push_back(row.name.substr(kBuiltins.size()));
    name_ids_.emplace(names_.back(), id);
    builtins_[id] = Intern(std::string(row.name));
  }
  for (const std::string_view name : {"getattr", "setattr", "delattr", "vars", "locals"}) {
    const auto id = static_cast<NameId>(names_.size());
    names_.push_back(name);
    name_ids_.emplace(name, id);
    builtins_[id] = Intern("builtins." + std::string(name));
  }
  const auto id = static_cast<NameId>(names_.size());
  names_.emplace_back("__builtins__");
  name_ids_.emplace(names_.back(), id);
  builtins_[id] = Intern("builtins");

  FindScopes();
  telling_.resize(names_.size());
  for (const auto& [name, symbol] : builtins_) telling_[name] = true;
  Redirect();
  BindAll();
  Settle();
}

void Names::FindScopes() {
  scopes_.push_back({ScopeKind::kModule, 0, 0});
  scope_of_.resize(tree_.nodes().size());
  // The scope that begins at a node, for the nodes that open one.
  std::vector<std::pair<NodeId, ScopeId>> opened;
  for (NodeId id = 1; id < tree_.nodes().size(); ++id) {
    const SyntaxNode& node = tree_[id];
    const SyntaxNode& parent = tree_[node.parent];
    while (!opened.empty() && tree_[opened.back().first].end <= node.begin) opened.pop_back();
    ScopeId scope = scope_of_[node.parent];
    const bool inner_of_function =
        IsDefinition(parent.kind) && (node.field == Field::kBody || node.field == Field::kParameters);
    const bool inner_of_class = parent.kind == Kind::kClassDefinition && node.field == Field::kBody;
    if (inner_of_function || inner_of_class || IsComprehension(node.kind)) {
      const NodeId owner = IsComprehension(node.kind) ? id : node.parent;
      const auto same = std::ranges::find(opened, owner, &std::pair<NodeId, ScopeId>::first);
      if (same != opened.end()) {
        scope = same->second;
      } else {
        const ScopeKind kind = inner_of_class      ? ScopeKind::kClass
                               : inner_of_function ? ScopeKind::kFunction
                                                   : ScopeKind::kComprehension;
        scopes_.push_back({kind, scope, owner});
        scope = static_cast<ScopeId>(scopes_.size() - 1);
        opened.emplace_back(owner, scope);
      }
    }
    scope_of_[id] = scope;
    if (node.kind == Kind::kIdentifier) {
      name_of_[id] = NameOf(id);
      reads_[id] = true;
    }
  }
}

void Names::Redirect() {
  for (NodeId id = 0; id < tree_.nodes().size(); ++id) {
    const Kind kind = tree_[id].kind;
    if (kind != Kind::kGlobalStatement && kind != Kind::kNonlocalStatement) continue;
    for (const NodeId name : ChildrenOf(tree_, id)) {
      if (tree_[name].kind != Kind::kIdentifier) continue;
      reads_[name] = false;
      const ScopeId scope = scope_of_[id];
      ScopeId to = 0;
      if (kind == Kind::kNonlocalStatement) {
        to = scopes_[scope].parent;
        while (to != 0 && scopes_[to].kind != ScopeKind::kFunction) to = scopes_[to].parent;
      }
      const std::uint64_t key = std::uint64_t{scope} << 32 | name_of_[name];
      bindings_by_name_[key] = BindingOf(name_of_[name], to);
    }
  }
}

void Names::BindAll() {
  for (NodeId id = 0; id < tree_.nodes().size(); ++id) {
    const SyntaxNode& node = tree_[id];
    const auto child = [&](Field field) { return tree_.Child(id, field); };
    switch (node.kind) {
      case Kind::kImportStatement:
        BindImport(id);
        break;
      case Kind::kImportFromStatement:
      case Kind::kFutureImportStatement:
        BindFrom(id);
        break;
      case Kind::kAssignment:
        BindTarget(child(Field::kLeft), child(Field::kRight), false);
        break;
      case Kind::kNamedExpression:
        BindTarget(child(Field::kName), child(Field::kValue), false);
        break;
      case Kind::kForStatement:
      case Kind::kForInClause:
        BindTarget(child(Field::kLeft), child(Field::kRight), true);
        break;
      case Kind::kFunctionDefinition:
      case Kind::kClassDefinition:
        if (const NodeId name = child(Field::kName); name != kNoNode) Bind(name, scope_of_[id], id);
        if (node.kind == Kind::kFunctionDefinition) BindParameters(child(Field::kParameters));
        break;
      case Kind::kLambda:
        BindParameters(child(Field::kParameters));
        break;
      case Kind::kAsPattern: {
        const auto parts = ChildrenOf(tree_, id);
        if (parts.size() == 2) BindTarget(parts[1], parts[0], false);
        break;
      }
      case Kind::kCaseClause:
        for (const NodeId part : ChildrenOf(tree_, id)) {
          if (tree_[part].kind == Kind::kCasePattern) BindCase(part);
        }
        break;
      case Kind::kDeleteStatement:
        for (const NodeId part : ChildrenOf(tree_, id)) {
          for (NodeId name = part;
               name != kNoNode && name < tree_.nodes().size() && tree_[name].begin < tree_[id].end; ++name) {
            if (tree_[name].kind != Kind::kIdentifier) continue;
            bindings_[BindingOf(name_of_[name], scope_of_[id])].deleted = true;
          }
        }
        break;
      case Kind::kAttribute:
        if (const NodeId name = child(Field::kAttribute); name != kNoNode) reads_[name] = false;
        break;
      case Kind::kKeywordArgument:
        if (const NodeId name = child(Field::kName); name != kNoNode) reads_[name] = false;
        break;
      default:
        break;
    }
  }
}

// The last parts first: `import a.b as c` binds c to a.b, `import a.b` binds a to a.
void Names::BindImport(NodeId node) {
  for (const NodeId part : ChildrenOf(tree_, node)) {
    const bool aliased = tree_[part].kind == Kind::kAliasedImport;
    const NodeId dotted = aliased ? tree_.Child(part, Field::kName) : part;
    if (dotted == kNoNode || tree_[dotted].kind != Kind::kDottedName) continue;
    const auto names = ChildrenOf(tree_, dotted);
    if (names.empty()) continue;
    std::string text;
    for (const NodeId name : names) {
      reads_[name] = false;
      text += (text.empty() ? "" : ".") + std::string(names_[name_of_[name]]);
    }
    const NodeId alias = aliased ? tree_.Child(part, Field::kAlias) : kNoNode;
    const NodeId bound = alias != kNoNode ? alias : names[0];
    if (alias == kNoNode) text = names_[name_of_[names[0]]];
    Give(Bind(bound, scope_of_[node], node), {Intern(std::move(text))});
  }
}

void Names::BindFrom(NodeId node) {
  const NodeId from = tree_.Child(node, Field::kModuleName);
  std::string module;
  if (from != kNoNode && tree_[from].kind == Kind::kDottedName) {
    for (const NodeId name : ChildrenOf(tree_, from)) {
      reads_[name] = false;
      module += (module.empty() ? "" : ".") + std::string(names_[name_of_[name]]);
    }
  }
  for (const NodeId part : ChildrenOf(tree_, node)) {
    if (tree_[part].field != Field::kName) continue;
    const bool aliased = tree_[part].kind == Kind::kAliasedImport;
    const NodeId dotted = aliased ? tree_.Child(part, Field::kName) : part;
    if (dotted == kNoNode) continue;
    const auto names = ChildrenOf(tree_, dotted);
    if (names.size() != 1) continue;
    reads_[names[0]] = false;
    const NodeId alias = aliased ? tree_.Child(part, Field::kAlias) : kNoNode;
    const BindingId binding = Bind(alias != kNoNode ? alias : names[0], scope_of_[node], node);
    if (!module.empty()) {
      Give(binding, {Intern(module + "." + std::string(names_[name_of_[names[0]]]))});
    }
  }
}

void Names::BindTarget(NodeId target, NodeId value, bool elements) {
  if (target == kNoNode) return;
  const Kind kind = tree_[target].kind;
  if (kind == Kind::kIdentifier) {
    ScopeId scope = scope_of_[target];
    if (tree_[tree_[target].parent].kind == Kind::kNamedExpression) scope = ScopeForWalrus(scope);
    const BindingId binding = Bind(target, scope, tree_[target].parent);
    if (value != kNoNode) flows_.push_back({binding, value, elements});
    return;
  }
  if (kind == Kind::kAsPatternTarget || kind == Kind::kListSplatPattern || kind == Kind::kListSplat ||
      kind == Kind::kParenthesizedExpression) {
    for (const NodeId part : ChildrenOf(tree_, target)) BindTarget(part, value, elements);
    return;
  }
  if (!IsSequence(kind)) return;
  const auto targets = ChildrenOf(tree_, target);
  const bool literal = value != kNoNode && !elements && IsSequence(tree_[value].kind);
  const auto values = literal ? ChildrenOf(tree_, value) : std::vector<NodeId>();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (values.size() == targets.size()) {
      BindTarget(targets[i], values[i], false);
    } else {
      BindTarget(targets[i], value, true);
    }
  }
}

void Names::BindParameters(NodeId parameters) {
  if (parameters == kNoNode) return;
  for (const NodeId part : ChildrenOf(tree_, parameters)) {
    NodeId name = part;
    if (tree_[part].kind == Kind::kDefaultParameter || tree_[part].kind == Kind::kTypedDefaultParameter) {
      name = tree_.Child(part, Field::kName);
    }
    // A type, * or ** stands around the name.
    while (name != kNoNode && tree_[name].kind != Kind::kIdentifier) name = tree_[name].first_child;
    if (name == kNoNode) continue;
    const BindingId binding = Bind(name, scope_of_[part], parameters);
    if (const NodeId value = tree_.Child(part, Field::kValue); value != kNoNode) {
      flows_.push_back({binding, value, false});
    }
  }
}

// A name that stands alone in a pattern is bound by it; one before "=" names an attribute.
void Names::BindCase(NodeId pattern) {
  const std::uint32_t end = tree_[pattern].end;
  for (NodeId id = pattern; id < tree_.nodes().size() && tree_[id].begin < end; ++id) {
    if (tree_[id].kind != Kind::kIdentifier) continue;
    const NodeId parent = tree_[id].parent;
    const Kind kind = tree_[parent].kind;
    if (kind == Kind::kKeywordPattern && tree_[parent].first_child == id) {
      reads_[id] = false;
      continue;
    }
    const NodeId around = tree_[parent].parent;
    const bool alone = kind == Kind::kDottedName && ChildrenOf(tree_, parent).size() == 1 &&
                       around != kNoNode && tree_[around].kind != Kind::kClassPattern;
    if (alone || kind == Kind::kSplatPattern || kind == Kind::kAsPattern) Bind(id, scope_of_[id], parent);
  }
}

Names::BindingId Names::Bind(NodeId identifier, ScopeId scope, NodeId statement) {
  const BindingId id = BindingOf(name_of_[identifier], scope);
  reads_[identifier] = false;
  // For all but the built-in names, the order is of no meaning.
  if (!builtins_.contains(name_of_[identifier])) return id;
  const NodeId until = SureUntil(statement);
  if (until == kNoNode) return id;
  bindings_[id].sure.emplace_back(tree_[identifier].end, tree_[until].end);
  const NodeId owner = scopes_[scope].node;
  if (until == owner || tree_[until].parent == owner) bindings_[id].sure_inside = true;
  return id;
}

Names::BindingId Names::BindingOf(NameId name, ScopeId scope) {
  const std::uint64_t key = std::uint64_t{scope} << 32 | name;
  const auto [place, is_new] = bindings_by_name_.try_emplace(key, static_cast<BindingId>(bindings_.size()));
  if (is_new) bindings_.emplace_back().name = name;
  return place->second;
}

// What follows the statement in its block finds its names bound, and so does the body of a loop or `with`.
// The node at whose end that ends; kNoNode when something stands between that may leave the statement out.
NodeId Names::SureUntil(NodeId statement) const {
  for (NodeId id = statement; id != kNoNode; id = tree_[id].parent) {
    switch (tree_[id].kind) {
      case Kind::kBlock:
      case Kind::kModule:
      case Kind::kForStatement:
      case Kind::kWithStatement:
      case Kind::kExceptClause:
      case Kind::kExceptGroupClause:
        return id;
      case Kind::kAssignment:
      case Kind::kExpressionStatement:
      case Kind::kImportStatement:
      case Kind::kImportFromStatement:
      case Kind::kFunctionDefinition:
      case Kind::kClassDefinition:
      case Kind::kPatternList:
      case Kind::kTuplePattern:
      case Kind::kListPattern:
      case Kind::kAsPattern:
      case Kind::kAsPatternTarget:
      case Kind::kDecoratedDefinition:
      case Kind::kOther:  // an item of `with`
        break;
      default:
        return kNoNode;
    }
  }
  return kNoNode;
}

Names::ScopeId Names::ScopeForWalrus(ScopeId scope) const {
  while (scope != 0 && scopes_[scope].kind == ScopeKind::kComprehension) scope = scopes_[scope].parent;
  return scope;
}

Names::NameId Names::NameOf(NodeId identifier) {
  std::string_view text = tree_.TextOf(identifier);
  if (!IsAscii(text)) text = plain_names_.emplace_back(PlainName(text));
  const auto [place, is_new] = name_ids_.try_emplace(text, static_cast<NameId>(names_.size()));
  if (is_new) names_.push_back(text);
  return place->second;
}

Names::Symbol Names::Intern(std::string text) const {
  const auto known = symbol_ids_.find(text);
  if (known != symbol_ids_.end()) return known->second;
  const auto id = static_cast<Symbol>(symbols_.size());
  symbol_ids_.emplace(symbols_.emplace_back(std::move(text)), id);
  return id;
}

void Names::Merge(Symbols& into, const Symbols& more) {
  for (const Symbol symbol : more) {
    const auto place = std::ranges::lower_bound(into, symbol);
    if ((place != into.end() && *place == symbol) || into.size() >= kSymbolsMax) continue;
    into.insert(place, symbol);
  }
}

void Names::Give(BindingId binding, const Symbols& symbols) {
  Merge(bindings_[binding].symbols, symbols);
  telling_[bindings_[binding].name] = true;
}

void Names::Settle() {
  bool changed = true;
  for (int round = 0; changed && round < kRoundsMax; ++round) {
    changed = false;
    for (const Flow& flow : flows_) {
      Symbols symbols;
      const Kind kind = tree_[flow.value].kind;
      if (flow.elements && IsSequence(kind)) {
        for (const NodeId element : ChildrenOf(tree_, flow.value)) Merge(symbols, EvaluateAt(element, 0));
      } else {
        symbols = EvaluateAt(flow.value, 0);
      }
      if (symbols.empty()) continue;
      const std::size_t before = bindings_[flow.binding].symbols.size();
      Give(flow.binding, symbols);
      changed = changed || bindings_[flow.binding].symbols.size() != before;
    }
  }
}

Names::Symbols Names::Evaluate(NodeId node) const { return EvaluateAt(node, 0); }

Names::Symbols Names::Resolve(NodeId identifier) const {
  Symbols symbols;
  const NameId name = name_of_[identifier];
  if (!telling_[name]) return symbols;
  const ScopeId own = scope_of_[identifier];
  for (ScopeId scope = own;; scope = scopes_[scope].parent) {
    const auto found = bindings_by_name_.find(std::uint64_t{scope} << 32 | name);
    if (found != bindings_by_name_.end()) {
      const Binding& binding = bindings_[found->second];
      Merge(symbols, binding.symbols);
      const ScopeKind kind = scopes_[scope].kind;
      const bool local = kind == ScopeKind::kFunction || kind == ScopeKind::kComprehension;
      const bool redirected = local && scope == own && found->second < bindings_.size() && scope != 0 &&
                              bindings_by_name_.contains(name) && bindings_by_name_.at(name) == found->second;
      const std::uint32_t at = tree_[identifier].begin;
      const bool sure =
          (scope != own && binding.sure_inside) || std::ranges::any_of(binding.sure, [at](const auto& range) {
            return range.first <= at && at < range.second;
          });
      // A class is not seen from the functions inside it.
      const bool hidden = kind == ScopeKind::kClass && scope != own;
      if (!hidden && !binding.deleted && ((local && !redirected) || sure)) return symbols;
    }
    if (scope == 0) break;
  }
  if (const auto builtin = builtins_.find(name); builtin != builtins_.end())
    Merge(symbols, {builtin->second});
  return symbols;
}

Names::Symbols Names::EvaluateAt(NodeId node, int depth) const {
  if (node == kNoNode || depth > kDepthMax) return {};
  const auto of = [&](NodeId part) { return EvaluateAt(part, depth + 1); };
  switch (tree_[node].kind) {
    case Kind::kIdentifier:
      return Resolve(node);
    case Kind::kAttribute: {
      const Symbols object = of(tree_.Child(node, Field::kObject));
      const NodeId name = tree_.Child(node, Field::kAttribute);
      if (object.empty() || name == kNoNode) return {};
      return Members(object, names_[name_of_[name]]);
    }
    case Kind::kNamedExpression:
      return of(tree_.Child(node, Field::kValue));
    case Kind::kAssignment:
      return of(tree_.Child(node, Field::kRight));
    case Kind::kSubscript: {
      const NodeId value = tree_.Child(node, Field::kValue);
      const Symbols object = of(value);
      const auto key = object.empty() ? std::nullopt : FoldText(tree_, tree_.Child(node, Field::kSubscript));
      // Of a container, any element; of a module's names, the one that is named.
      return key && !IsSequence(tree_[value].kind) ? Members(object, key->text) : object;
    }
    case Kind::kCall:
      return EvaluateCall(node, depth);
    case Kind::kParenthesizedExpression:
    case Kind::kConditionalExpression:
    case Kind::kBooleanOperator:
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kExpressionList:
    case Kind::kDictionary:
    case Kind::kPair: {
      Symbols all;
      for (const NodeId part : ChildrenOf(tree_, node)) Merge(all, of(part));
      return all;
    }
    case Kind::kLambda:
      return of(tree_.Child(node, Field::kBody));
    default:
      return {};
  }
}

// getattr(x, "name") is x.name, vars(x) the names of x, __import__("x") is x, and (lambda: x)() is x.
Names::Symbols Names::EvaluateCall(NodeId node, int depth) const {
  const NodeId callee = tree_.Child(node, Field::kFunction);
  const Symbols functions = EvaluateAt(callee, depth + 1);
  if (functions.empty()) return {};
  const auto arguments = PlainArguments(tree_, node);
  Symbols all;
  for (const Symbol function : functions) {
    const std::string& name = symbols_[function];
    if (!arguments || arguments->empty()) continue;
    if (name == "builtins.getattr" && arguments->size() >= 2) {
      if (const auto key = FoldText(tree_, (*arguments)[1])) {
        Merge(all, Members(EvaluateAt((*arguments)[0], depth + 1), key->text));
      }
    } else if (name == "builtins.vars") {
      Merge(all, EvaluateAt((*arguments)[0], depth + 1));
    } else if (name == "builtins.__import__" || name == "importlib.import_module") {
      if (const auto module = FoldText(tree_, (*arguments)[0])) {
        Merge(all, {Intern(module->text)});
      }
    }
  }
  const bool lambda = callee != kNoNode && tree_[callee].kind == Kind::kParenthesizedExpression;
  if (lambda) Merge(all, functions);
  return all;
}

Names::Symbols Names::Members(const Symbols& of, std::string_view name) const {
  Symbols members;
  for (const Symbol symbol : of) {
    // Deeper than any rule looks.
    if (std::ranges::count(symbols_[symbol], '.') > 6) continue;
    if (name == "__dict__") {
      Merge(members, {symbol});
    } else {
      Merge(members, {Intern(symbols_[symbol] + "." + std::string(name))});
    }
  }
  return members;
}

}  // namespace casemate
