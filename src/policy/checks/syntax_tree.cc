#include "policy/checks/syntax_tree.h"

#include <tree_sitter/api.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "policy/checks/quick_parser.h"

extern "C" const TSLanguage* tree_sitter_python();

namespace casemate {
namespace {

struct KindName {
  Kind kind;
  std::string_view name;
};
constexpr std::array kKindNames = {
    KindName{Kind::kAliasedImport, "aliased_import"},
    KindName{Kind::kArgumentList, "argument_list"},
    KindName{Kind::kAsPattern, "as_pattern"},
    KindName{Kind::kAsPatternTarget, "as_pattern_target"},
    KindName{Kind::kAssignment, "assignment"},
    KindName{Kind::kAttribute, "attribute"},
    KindName{Kind::kAugmentedAssignment, "augmented_assignment"},
    KindName{Kind::kBinaryOperator, "binary_operator"},
    KindName{Kind::kBlock, "block"},
    KindName{Kind::kBooleanOperator, "boolean_operator"},
    KindName{Kind::kCall, "call"},
    KindName{Kind::kCaseClause, "case_clause"},
    KindName{Kind::kCasePattern, "case_pattern"},
    KindName{Kind::kClassDefinition, "class_definition"},
    KindName{Kind::kClassPattern, "class_pattern"},
    KindName{Kind::kComment, "comment"},
    KindName{Kind::kConcatenatedString, "concatenated_string"},
    KindName{Kind::kConditionalExpression, "conditional_expression"},
    KindName{Kind::kDecoratedDefinition, "decorated_definition"},
    KindName{Kind::kDecorator, "decorator"},
    KindName{Kind::kDefaultParameter, "default_parameter"},
    KindName{Kind::kDeleteStatement, "delete_statement"},
    KindName{Kind::kDictionary, "dictionary"},
    KindName{Kind::kDictionaryComprehension, "dictionary_comprehension"},
    KindName{Kind::kDictionarySplat, "dictionary_splat"},
    KindName{Kind::kDictionarySplatPattern, "dictionary_splat_pattern"},
    KindName{Kind::kDottedName, "dotted_name"},
    KindName{Kind::kElifClause, "elif_clause"},
    KindName{Kind::kElseClause, "else_clause"},
    KindName{Kind::kEscapeSequence, "escape_sequence"},
    KindName{Kind::kExceptClause, "except_clause"},
    KindName{Kind::kExceptGroupClause, "except_group_clause"},
    KindName{Kind::kExecStatement, "exec_statement"},
    KindName{Kind::kExpressionList, "expression_list"},
    KindName{Kind::kExpressionStatement, "expression_statement"},
    KindName{Kind::kFinallyClause, "finally_clause"},
    KindName{Kind::kForInClause, "for_in_clause"},
    KindName{Kind::kForStatement, "for_statement"},
    KindName{Kind::kFunctionDefinition, "function_definition"},
    KindName{Kind::kFutureImportStatement, "future_import_statement"},
    KindName{Kind::kGeneratorExpression, "generator_expression"},
    KindName{Kind::kGlobalStatement, "global_statement"},
    KindName{Kind::kIdentifier, "identifier"},
    KindName{Kind::kIfClause, "if_clause"},
    KindName{Kind::kIfStatement, "if_statement"},
    KindName{Kind::kImportFromStatement, "import_from_statement"},
    KindName{Kind::kImportStatement, "import_statement"},
    KindName{Kind::kInteger, "integer"},
    KindName{Kind::kInterpolation, "interpolation"},
    KindName{Kind::kKeywordArgument, "keyword_argument"},
    KindName{Kind::kKeywordPattern, "keyword_pattern"},
    KindName{Kind::kLambda, "lambda"},
    KindName{Kind::kLambdaParameters, "lambda_parameters"},
    KindName{Kind::kList, "list"},
    KindName{Kind::kLineContinuation, "line_continuation"},
    KindName{Kind::kListComprehension, "list_comprehension"},
    KindName{Kind::kListPattern, "list_pattern"},
    KindName{Kind::kListSplat, "list_splat"},
    KindName{Kind::kListSplatPattern, "list_splat_pattern"},
    KindName{Kind::kMatchStatement, "match_statement"},
    KindName{Kind::kModule, "module"},
    KindName{Kind::kNamedExpression, "named_expression"},
    KindName{Kind::kNonlocalStatement, "nonlocal_statement"},
    KindName{Kind::kPair, "pair"},
    KindName{Kind::kParameters, "parameters"},
    KindName{Kind::kParenthesizedExpression, "parenthesized_expression"},
    KindName{Kind::kPatternList, "pattern_list"},
    KindName{Kind::kRelativeImport, "relative_import"},
    KindName{Kind::kSetComprehension, "set_comprehension"},
    KindName{Kind::kSlice, "slice"},
    KindName{Kind::kSplatPattern, "splat_pattern"},
    KindName{Kind::kString, "string"},
    KindName{Kind::kStringContent, "string_content"},
    KindName{Kind::kStringStart, "string_start"},
    KindName{Kind::kSubscript, "subscript"},
    KindName{Kind::kTryStatement, "try_statement"},
    KindName{Kind::kTuple, "tuple"},
    KindName{Kind::kTuplePattern, "tuple_pattern"},
    KindName{Kind::kType, "type"},
    KindName{Kind::kTypedDefaultParameter, "typed_default_parameter"},
    KindName{Kind::kTypedParameter, "typed_parameter"},
    KindName{Kind::kTypeAliasStatement, "type_alias_statement"},
    KindName{Kind::kUnaryOperator, "unary_operator"},
    KindName{Kind::kWhileStatement, "while_statement"},
    KindName{Kind::kWildcardImport, "wildcard_import"},
    KindName{Kind::kWithStatement, "with_statement"},
};

struct FieldName {
  Field field;
  std::string_view name;
};
constexpr std::array kFieldNames = {
    FieldName{Field::kAlias, "alias"},
    FieldName{Field::kArguments, "arguments"},
    FieldName{Field::kAttribute, "attribute"},
    FieldName{Field::kBody, "body"},
    FieldName{Field::kFunction, "function"},
    FieldName{Field::kLeft, "left"},
    FieldName{Field::kModuleName, "module_name"},
    FieldName{Field::kName, "name"},
    FieldName{Field::kObject, "object"},
    FieldName{Field::kParameters, "parameters"},
    FieldName{Field::kRight, "right"},
    FieldName{Field::kSubscript, "subscript"},
    FieldName{Field::kSuperclasses, "superclasses"},
    FieldName{Field::kType, "type"},
    FieldName{Field::kValue, "value"},
};

// The grammar's numbers, which change with its version, as ours.
struct Numbers {
  std::vector<Kind> kinds;
  std::vector<Field> fields;
};

const Numbers& OurNumbers() {
  static const Numbers numbers = [] {
    const TSLanguage* language = tree_sitter_python();
    Numbers made;
    for (std::uint32_t symbol = 0; symbol < ts_language_symbol_count(language); ++symbol) {
      const char* name = ts_language_symbol_name(language, static_cast<TSSymbol>(symbol));
      const auto* found = std::ranges::find(kKindNames, std::string_view(name), &KindName::name);
      made.kinds.push_back(found == kKindNames.end() ? Kind::kOther : found->kind);
    }
    made.fields.push_back(Field::kNone);
    for (std::uint32_t field = 1; field <= ts_language_field_count(language); ++field) {
      const char* name = ts_language_field_name_for_id(language, static_cast<TSFieldId>(field));
      const auto* found = std::ranges::find(kFieldNames, std::string_view(name), &FieldName::name);
      made.fields.push_back(found == kFieldNames.end() ? Field::kNone : found->field);
    }
    return made;
  }();
  return numbers;
}

// Of processor time; half a second and a microsecond a byte: some faulty texts make the parser try many ways.
constexpr std::int64_t kPatienceUs = 500'000;

using TreePointer = std::unique_ptr<TSTree, decltype(&ts_tree_delete)>;

// Null when the time is over. The parser counts time by the clock, and goes on where it was when it is asked
// again: what a text is answered with must not depend on what else the host does.
TreePointer ParseInTime(TSParser* parser, std::string_view text) {
  const std::int64_t end_us = ThreadCpuUs() + kPatienceUs + static_cast<std::int64_t>(text.size());
  for (std::int64_t left_us = end_us - ThreadCpuUs(); left_us > 0; left_us = end_us - ThreadCpuUs()) {
    ts_parser_set_timeout_micros(parser, static_cast<std::uint64_t>(left_us));
    if (TSTree* tree =
            ts_parser_parse_string(parser, nullptr, text.data(), static_cast<std::uint32_t>(text.size())))
      return {tree, ts_tree_delete};
  }
  return {nullptr, ts_tree_delete};
}

class Cursor {
 public:
  explicit Cursor(TSNode root) : cursor_(ts_tree_cursor_new(root)) {}
  ~Cursor() { ts_tree_cursor_delete(&cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  TSNode Node() const { return ts_tree_cursor_current_node(&cursor_); }
  TSFieldId FieldId() const { return ts_tree_cursor_current_field_id(&cursor_); }
  bool Down() { return ts_tree_cursor_goto_first_child(&cursor_); }
  bool Next() { return ts_tree_cursor_goto_next_sibling(&cursor_); }
  bool Up() { return ts_tree_cursor_goto_parent(&cursor_); }

 private:
  TSTreeCursor cursor_;
};

bool EndsWithBlock(Kind kind) {
  switch (kind) {
    case Kind::kBlock:
    case Kind::kCaseClause:
    case Kind::kClassDefinition:
    case Kind::kDecoratedDefinition:
    case Kind::kDecorator:
    case Kind::kElifClause:
    case Kind::kElseClause:
    case Kind::kExceptClause:
    case Kind::kExceptGroupClause:
    case Kind::kFinallyClause:
    case Kind::kForStatement:
    case Kind::kFunctionDefinition:
    case Kind::kIfStatement:
    case Kind::kMatchStatement:
    case Kind::kTryStatement:
    case Kind::kWhileStatement:
    case Kind::kWithStatement:
      return true;
    default:
      return false;
  }
}

// The last node on the way down from `parent` to `depth`, and the last child that each level has so far.
struct Level {
  NodeId node;
  NodeId last_child;
};

}  // namespace

std::optional<SyntaxTree> SyntaxTree::Parse(std::string_view text) {
  if (auto nodes = QuickParser(text).Parse()) {
    SyntaxTree tree(text);
    tree.nodes_ = *std::move(nodes);
    return tree;
  }
  return ParseWhole(text);
}

std::optional<SyntaxTree> SyntaxTree::ParseWhole(std::string_view text) {
  const std::unique_ptr<TSParser, decltype(&ts_parser_delete)> parser(ts_parser_new(), ts_parser_delete);
  ts_parser_set_language(parser.get(), tree_sitter_python());
  const TreePointer parsed = ParseInTime(parser.get(), text);
  if (parsed == nullptr) return std::nullopt;

  SyntaxTree tree(text);
  const Numbers& numbers = OurNumbers();
  const TSNode root = ts_tree_root_node(parsed.get());
  const bool faulty = ts_node_has_error(root);
  tree.nodes_.reserve(text.size() / 4 + 16);
  std::vector<Level> levels;
  Cursor cursor(root);
  while (true) {
    const TSNode node = cursor.Node();
    const bool named = ts_node_is_named(node);
    if (faulty && !tree.error_at_ && (ts_node_is_error(node) || ts_node_is_missing(node))) {
      tree.error_at_ = ts_node_start_byte(node);
    }
    const TSSymbol symbol = ts_node_symbol(node);
    const Kind kind = symbol < numbers.kinds.size() ? numbers.kinds[symbol] : Kind::kOther;
    if (named && kind != Kind::kComment && kind != Kind::kLineContinuation) {
      const auto id = static_cast<NodeId>(tree.nodes_.size());
      SyntaxNode& made = tree.nodes_.emplace_back();
      made.kind = kind;
      made.field = numbers.fields[cursor.FieldId()];
      made.begin = ts_node_start_byte(node);
      made.end = ts_node_end_byte(node);
      made.depth = static_cast<std::uint32_t>(levels.size());
      if (!levels.empty()) {
        Level& level = levels.back();
        made.parent = level.node;
        (level.last_child == kNoNode ? tree.nodes_[level.node].first_child
                                     : tree.nodes_[level.last_child].next) = id;
        level.last_child = id;
      }
      if (cursor.Down()) {
        levels.push_back({id, kNoNode});
        continue;
      }
    }
    while (!cursor.Next()) {
      if (!cursor.Up()) {
        if (faulty && !tree.error_at_) tree.error_at_ = 0;
        tree.TrimBlocks();
        return tree;
      }
      levels.pop_back();
    }
  }
}

// Comments are inside or outside of a block by its grammar's own lights.
void SyntaxTree::TrimBlocks() {
  std::vector<std::uint32_t> last_end(nodes_.size(), 0);
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    SyntaxNode& node = nodes_[i];
    if (EndsWithBlock(node.kind) && last_end[i] > 0) node.end = last_end[i];
    if (node.kind == Kind::kBlock && node.first_child != kNoNode) node.begin = nodes_[node.first_child].begin;
    if (node.parent != kNoNode && last_end[node.parent] == 0) last_end[node.parent] = node.end;
  }
  nodes_.front().begin = 0;
  nodes_.front().end = static_cast<std::uint32_t>(text_.size());
}

NodeId SyntaxTree::Child(NodeId id, Field field) const {
  for (NodeId child = nodes_[id].first_child; child != kNoNode; child = nodes_[child].next) {
    if (nodes_[child].field == field) return child;
  }
  return kNoNode;
}

}  // namespace casemate
