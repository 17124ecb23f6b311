#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace casemate {

// The kinds of nodes that the checks tell apart, by the names of tree-sitter's grammar for Python; all else
// is kOther.
enum class Kind : std::uint8_t {
  kOther,
  kAliasedImport,
  kArgumentList,
  kAsPattern,
  kAsPatternTarget,
  kAssignment,
  kAttribute,
  kAugmentedAssignment,
  kBinaryOperator,
  kBlock,
  kBooleanOperator,
  kCall,
  kCaseClause,
  kCasePattern,
  kClassDefinition,
  kClassPattern,
  kComment,
  kConcatenatedString,
  kConditionalExpression,
  kDecoratedDefinition,
  kDecorator,
  kDefaultParameter,
  kDeleteStatement,
  kDictionary,
  kDictionaryComprehension,
  kDictionarySplat,
  kDictionarySplatPattern,
  kDottedName,
  kElifClause,
  kElseClause,
  kEscapeSequence,
  kExceptClause,
  kExceptGroupClause,
  kExecStatement,
  kExpressionList,
  kExpressionStatement,
  kFinallyClause,
  kForInClause,
  kForStatement,
  kFunctionDefinition,
  kFutureImportStatement,
  kGeneratorExpression,
  kGlobalStatement,
  kIdentifier,
  kIfClause,
  kIfStatement,
  kImportFromStatement,
  kImportStatement,
  kInteger,
  kInterpolation,
  kKeywordArgument,
  kKeywordPattern,
  kLambda,
  kLambdaParameters,
  kList,
  kLineContinuation,
  kListComprehension,
  kListPattern,
  kListSplat,
  kListSplatPattern,
  kMatchStatement,
  kModule,
  kNamedExpression,
  kNonlocalStatement,
  kPair,
  kParameters,
  kParenthesizedExpression,
  kPatternList,
  kRelativeImport,
  kSetComprehension,
  kSlice,
  kSplatPattern,
  kString,
  kStringContent,
  kStringStart,
  kSubscript,
  kTryStatement,
  kTuple,
  kTuplePattern,
  kType,
  kTypedDefaultParameter,
  kTypedParameter,
  kTypeAliasStatement,
  kUnaryOperator,
  kWhileStatement,
  kWildcardImport,
  kWithStatement,
};

enum class Field : std::uint8_t {
  kNone,
  kAlias,
  kArguments,
  kAttribute,
  kBody,
  kFunction,
  kLeft,
  kModuleName,
  kName,
  kObject,
  kParameters,
  kRight,
  kSubscript,
  kSuperclasses,
  kType,
  kValue,
};

using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = UINT32_MAX;

// A named node that is no comment. Children come after their parent, in the order of the text. What ends with
// a block ends where the block's last statement does, and a block begins with its first.
struct SyntaxNode {
  Kind kind = Kind::kOther;
  Field field = Field::kNone;  // in its parent
  std::uint32_t depth = 0;
  std::uint32_t begin = 0;  // bytes of the text
  std::uint32_t end = 0;
  NodeId parent = kNoNode;
  NodeId first_child = kNoNode;
  NodeId next = kNoNode;  // sibling
};

// A Python text as a tree, flat in one array in the order of a walk. The text must outlive it.
class SyntaxTree {
 public:
  // Takes as long as the text deserves at most, and nullopt when that is over. Never fails on a faulty text:
  // see error_at. Ordinary programs are read by QuickParser, all else as a whole.
  static std::optional<SyntaxTree> Parse(std::string_view text);
  // By tree-sitter's grammar alone, which says what a right tree is.
  static std::optional<SyntaxTree> ParseWhole(std::string_view text);

  const std::vector<SyntaxNode>& nodes() const { return nodes_; }
  const SyntaxNode& operator[](NodeId id) const { return nodes_[id]; }
  std::string_view text() const { return text_; }
  std::string_view TextOf(NodeId id) const {
    return text_.substr(nodes_[id].begin, nodes_[id].end - nodes_[id].begin);
  }
  // The first child that stands in that field; kNoNode when there is none.
  NodeId Child(NodeId id, Field field) const;
  // Where the first fault of the text is.
  std::optional<std::uint32_t> error_at() const { return error_at_; }

 private:
  explicit SyntaxTree(std::string_view text) : text_(text) {}
  void TrimBlocks();

  std::string_view text_;
  std::vector<SyntaxNode> nodes_;
  std::optional<std::uint32_t> error_at_;
};

}  // namespace casemate
