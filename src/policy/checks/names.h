#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/checks/syntax_tree.h"

namespace casemate {

// What the names of a program may stand for, whichever way it runs: modules, what modules hold, and built-in
// functions, each as a dotted text ("os.system", "builtins.eval").
//
// Scopes are Python's: modules, classes, functions, lambdas and comprehensions, with `global` and `nonlocal`.
// The order of statements counts in one way alone: a name that is bound for certain before its use in the
// same scope is not the built-in one. Values are followed through assignments, imports, default values,
// `with`-less unpacking of literal tuples, conditional expressions, literal containers, getattr and vars; not
// through calls, attributes of objects or containers that are made elsewhere.
class Names {
 public:
  using Symbol = std::uint32_t;
  using Symbols = std::vector<Symbol>;  // sorted, without duplicates

  explicit Names(const SyntaxTree& tree);

  // What the expression at `node` may stand for.
  Symbols Evaluate(NodeId node) const;
  const std::string& Text(Symbol symbol) const { return symbols_[symbol]; }

  // The identifier at `node` as Python reads it.
  std::string_view NameAt(NodeId node) const { return names_[name_of_[node]]; }

  // Whether the identifier at `node` reads a variable, rather than binding it or naming an attribute.
  bool IsRead(NodeId node) const { return reads_[node]; }

 private:
  using NameId = std::uint32_t;
  using ScopeId = std::uint32_t;
  using BindingId = std::uint32_t;

  // Names are short; std::hash is made for longer texts.
  struct ShortHash {
    std::size_t operator()(std::string_view name) const;
  };

  enum class ScopeKind : std::uint8_t { kModule, kClass, kFunction, kComprehension };
  struct Scope {
    ScopeKind kind;
    ScopeId parent;
    NodeId node;
  };
  struct Binding {
    std::vector<std::pair<std::uint32_t, std::uint32_t>>
        sure;                  // bytes of the text where it is bound for certain
    bool sure_inside = false;  // and in the functions of its scope
    bool deleted = false;
    NameId name = 0;
    Symbols symbols;
  };
  // `binding` takes what `value` evaluates to; with `elements`, what its elements do.
  struct Flow {
    BindingId binding;
    NodeId value;
    bool elements;
  };

  void FindScopes();
  void Redirect();
  void BindAll();
  void Settle();

  void BindImport(NodeId node);
  void BindFrom(NodeId node);
  void BindTarget(NodeId target, NodeId value, bool elements);
  void BindParameters(NodeId parameters);
  void BindCase(NodeId pattern);
  BindingId Bind(NodeId identifier, ScopeId scope, NodeId statement);
  BindingId BindingOf(NameId name, ScopeId scope);
  NodeId SureUntil(NodeId statement) const;
  ScopeId ScopeForWalrus(ScopeId scope) const;

  NameId NameOf(NodeId identifier);
  Symbol Intern(std::string text) const;
  Symbols Resolve(NodeId identifier) const;
  Symbols EvaluateAt(NodeId node, int depth) const;
  Symbols EvaluateCall(NodeId node, int depth) const;
  Symbols Members(const Symbols& of, std::string_view name) const;
  static void Merge(Symbols& into, const Symbols& more);
  void Give(BindingId binding, const Symbols& symbols);

  const SyntaxTree& tree_;
  std::vector<Scope> scopes_;
  std::vector<ScopeId> scope_of_;  // by node
  std::vector<bool> reads_;        // by node
  std::vector<NameId> name_of_;    // by node, for identifiers
  std::unordered_map<std::string_view, NameId, ShortHash> name_ids_;
  std::deque<std::string> plain_names_;  // those that Python reads otherwise than they are written
  std::vector<std::string_view> names_;
  std::vector<bool> telling_;  // by name: whether it stands for anything in any scope
  std::unordered_map<std::uint64_t, BindingId> bindings_by_name_;
  std::vector<Binding> bindings_;
  std::vector<Flow> flows_;
  mutable std::deque<std::string> symbols_;
  mutable std::unordered_map<std::string_view, Symbol> symbol_ids_;
  std::unordered_map<NameId, Symbol> builtins_;
};

}  // namespace casemate
