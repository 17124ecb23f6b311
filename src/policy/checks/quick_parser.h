#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/checks/quick_lexer.h"
#include "policy/checks/syntax_tree.h"

namespace casemate {

// Makes of an ordinary Python program the very nodes that tree-sitter's grammar makes of it, some fifteen
// times faster; knows when a text is beyond it. By recursive descent, with Python's own precedences where
// tree-sitter has none of its own.
class QuickParser {
 public:
  explicit QuickParser(std::string_view text);

  // nullopt for a text that it does not know for certain, faulty ones among them: the whole parser's
  // business.
  std::optional<std::vector<SyntaxNode>> Parse();

 private:
  // An index of made_; 0 is the module, and what stands for nothing.
  using Ref = std::uint32_t;
  struct Made {
    std::uint32_t begin;
    std::uint32_t end;
    Ref first = 0;
    Ref next = 0;
    Kind kind;
    Field field = Field::kNone;
  };
  class Children;
  class Deeper;
  struct StringStyle;

  // Statements.
  void ReadStatement(Children& into);
  void ReadSimpleStatements(Children& into);
  Ref ReadSimpleStatement();
  bool PrintsSplat(Ref statement) const;
  Ref ReadExpressionStatement();
  Ref ReadAssignment(Ref left, bool several);
  Ref ReadRightSide();
  Ref ReadImport();
  Ref ReadFrom();
  void ReadImportedNames(Children& into);
  Ref ReadDottedName();
  Ref ReadWordStatement();
  Ref ReadRaise();
  Ref ReadNames(Kind kind);
  Ref ReadIf();
  Ref ReadWhile();
  Ref ReadFor(std::uint32_t begin);
  Ref ReadTry();
  Ref ReadExcept();
  Ref ReadWith(std::uint32_t begin);
  Ref ReadDefinition();
  Ref ReadFunction(std::uint32_t begin);
  Ref ReadClass();
  Ref ReadDecorated();
  Ref ReadElse();
  Ref ReadSuite();
  Ref ReadParameters(Kind kind, Token end);
  Ref ReadParameter(bool typed);
  Ref ReadType();
  Ref MakeType(Ref expression);
  bool IsGeneric(Ref type) const;
  bool IsUnion(Ref expression) const;

  // Expressions.
  Ref ReadExpressions();
  Ref ReadExpression();
  Ref ReadAliased();
  Ref ReadDisjunction();
  Ref ReadConjunction();
  Ref ReadNegation();
  Ref ReadComparison();
  bool TakeComparison();
  Ref ReadBinary(int least);
  Ref ReadUnary();
  Ref ReadPrimary();
  Ref ReadTrailers(Ref value);
  Ref ReadAtom();
  Ref ReadLambda();
  Ref ReadYield();
  Ref ReadRound();
  Ref ReadSquare();
  Ref ReadCurly();
  Ref ReadElement();
  Ref ReadSplat(Kind kind);
  Ref ReadElements(Ref made, Ref first, Token close);
  Ref ReadClauses(Ref made, Ref body, Token close);
  Ref ReadArguments(Ref callee);
  Ref ReadArgument();
  Ref ReadSubscripts(Ref value);
  Ref ReadSubscript();
  Ref ReadStrings();
  Ref ReadString();
  bool ReadContent(Children& parts, const StringStyle& style, std::uint32_t& end);
  Ref ReadInterpolation(Kind kind, std::uint32_t open);
  Ref ReadFormat(std::uint32_t colon);
  std::uint32_t EscapeLength(std::uint32_t at, bool bytes);
  Ref ReadTargets(bool& several);
  bool MakePattern(Ref expression);

  Ref Make(Kind kind, std::uint32_t begin, std::uint32_t end);
  Ref Leaf(Kind kind);
  Ref Around(Kind kind, Ref inner, Field field);
  Ref Pair(Kind kind, Ref left, Ref right);
  Ref Fault() {
    lexer_.Fault();
    return 0;
  }
  bool Is(Token token) const { return lexer_.token() == token; }
  bool Take(Token token);
  bool Expect(Token token);
  // The same, and where it ends.
  std::uint32_t ExpectEnd(Token token);
  std::vector<SyntaxNode> Flatten() const;

  QuickLexer lexer_;
  std::vector<Made> made_;
  int depth_ = 0;
};

}  // namespace casemate
