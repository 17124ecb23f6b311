#include "policy/checks/quick_nodes.h"

namespace casemate {
namespace {

// What one line of a suite, or the rest of a list, may end with.
bool EndsStatement(Token token) { return token == Token::kNewline || token == Token::kSemicolon; }

// Whether the word at the beginning of a statement is one for the grammar (match x:), rather than a name.
bool IsSoftWord(std::string_view text, std::uint32_t begin, std::uint32_t end) {
  const std::string_view word = text.substr(begin, end - begin);
  if (word != "print" && word != "exec" && word != "match" && word != "type") return false;
  const std::string_view rest = text.substr(end);
  const std::size_t next = rest.find_first_not_of(' ');
  if (next == std::string_view::npos) return false;
  if (rest[next] == '(') return word == "match";
  return rest[next] != '=' && rest[next] != ',' && rest[0] != '.';
}

}  // namespace

void QuickParser::ReadStatement(Children& into) {
  const Deeper deeper(*this);
  switch (lexer_.token()) {
    case Token::kIf:
      return into.Add(ReadIf());
    case Token::kWhile:
      return into.Add(ReadWhile());
    case Token::kFor:
      return into.Add(ReadFor(lexer_.begin()));
    case Token::kTry:
      return into.Add(ReadTry());
    case Token::kWith:
      return into.Add(ReadWith(lexer_.begin()));
    case Token::kDef:
    case Token::kClass:
      return into.Add(ReadDefinition());
    case Token::kAsync: {
      const std::uint32_t begin = lexer_.begin();
      lexer_.Next();
      if (Is(Token::kDef)) return into.Add(ReadFunction(begin));
      if (Is(Token::kFor)) return into.Add(ReadFor(begin));
      if (Is(Token::kWith)) return into.Add(ReadWith(begin));
      Fault();
      return;
    }
    case Token::kAt:
      return into.Add(ReadDecorated());
    default:
      return ReadSimpleStatements(into);
  }
}

void QuickParser::ReadSimpleStatements(Children& into) {
  do into.Add(ReadSimpleStatement());
  while (Take(Token::kSemicolon) && !Is(Token::kNewline));
  Expect(Token::kNewline);
}

QuickParser::Ref QuickParser::ReadSimpleStatement() {
  switch (lexer_.token()) {
    case Token::kImport:
      return ReadImport();
    case Token::kFrom:
      return ReadFrom();
    case Token::kReturn:
    case Token::kDel:
    case Token::kAssert:
      return ReadWordStatement();
    case Token::kPass:
    case Token::kBreak:
    case Token::kContinue:
      return Leaf(Kind::kOther);
    case Token::kRaise:
      return ReadRaise();
    case Token::kGlobal:
      return ReadNames(Kind::kGlobalStatement);
    case Token::kNonlocal:
      return ReadNames(Kind::kNonlocalStatement);
    default:
      return ReadExpressionStatement();
  }
}

// For the grammar, print(*a.b) may still be an old statement, in which it reads (*a).b.
bool QuickParser::PrintsSplat(Ref statement) const {
  Ref call = statement;
  while (made_[call].first != 0 && made_[made_[call].first].kind != Kind::kIdentifier)
    call = made_[call].first;
  const Ref name = made_[call].first;
  if (made_[call].kind != Kind::kCall || name == 0) return false;
  const std::string_view word = lexer_.text().substr(made_[name].begin, made_[name].end - made_[name].begin);
  if (word != "print" && word != "exec") return false;
  for (Ref part = made_[made_[name].next].first; part != 0; part = made_[part].next) {
    if (made_[part].kind == Kind::kListSplat && made_[made_[part].first].kind != Kind::kIdentifier)
      return true;
  }
  return false;
}

QuickParser::Ref QuickParser::ReadExpressionStatement() {
  const std::uint32_t begin = lexer_.begin();
  if (Is(Token::kYield)) return Around(Kind::kExpressionStatement, ReadYield(), Field::kNone);
  if (Is(Token::kStar)) {
    bool several = false;
    const Ref targets = ReadTargets(several);
    if (!several || !Is(Token::kEqual)) return Fault();
    return Around(Kind::kExpressionStatement, ReadAssignment(targets, true), Field::kNone);
  }
  if (Is(Token::kName) && IsSoftWord(lexer_.text(), begin, lexer_.end())) return Fault();
  const Ref first = ReadExpression();
  if (PrintsSplat(first)) return Fault();
  if (EndsStatement(lexer_.token())) return Around(Kind::kExpressionStatement, first, Field::kNone);
  if (!Is(Token::kComma)) {
    return Around(Kind::kExpressionStatement, ReadAssignment(first, false), Field::kNone);
  }
  // A list of expressions, or of what is assigned to.
  const Ref list = Make(Kind::kPatternList, made_[first].begin, 0);
  Children parts(*this, list);
  parts.Add(first);
  std::uint32_t end = 0;
  while (Is(Token::kComma)) {
    end = lexer_.end();
    lexer_.Next();
    // The grammar looks in the next line for more of what is assigned to.
    if (Is(Token::kNewline)) return Fault();
    if (Is(Token::kSemicolon) || Is(Token::kEqual)) break;
    const Ref next = Is(Token::kStar) ? ReadSplat(Kind::kListSplat) : ReadExpression();
    parts.Add(next);
    end = made_[next].end;
  }
  parts.DoneAt(end);
  if (EndsStatement(lexer_.token())) {
    made_[list].kind = Kind::kExpressionStatement;
    for (Ref part = made_[list].first; part != 0; part = made_[part].next) {
      if (made_[part].kind == Kind::kListSplat) return Fault();
    }
    return list;
  }
  for (Ref part = made_[list].first; part != 0; part = made_[part].next) {
    if (!MakePattern(part)) return 0;
  }
  if (!Is(Token::kEqual)) return Fault();
  return Around(Kind::kExpressionStatement, ReadAssignment(list, true), Field::kNone);
}

// From the sign behind `left`, which is a pattern already when it is a list.
QuickParser::Ref QuickParser::ReadAssignment(Ref left, bool several) {
  const Deeper deeper(*this);
  if (!several && !MakePattern(left)) return 0;
  const Ref made = Make(Kind::kAssignment, made_[left].begin, 0);
  Children parts(*this, made);
  parts.Add(left, Field::kLeft);
  if (Is(Token::kAugmented)) {
    made_[made].kind = Kind::kAugmentedAssignment;
    lexer_.Next();
    parts.Add(ReadRightSide(), Field::kRight);
    return parts.Done();
  }
  if (Take(Token::kColon)) {
    if (several) return Fault();
    parts.Add(ReadType(), Field::kType);
    if (EndsStatement(lexer_.token())) return parts.Done();
  }
  if (!Expect(Token::kEqual)) return 0;
  parts.Add(ReadRightSide(), Field::kRight);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadRightSide() {
  if (Is(Token::kYield)) return ReadYield();
  const Ref right = ReadExpressions();
  if (!Is(Token::kEqual)) return right;
  if (made_[right].kind != Kind::kExpressionList) return ReadAssignment(right, false);
  made_[right].kind = Kind::kPatternList;
  for (Ref part = made_[right].first; part != 0; part = made_[part].next) {
    if (!MakePattern(part)) return 0;
  }
  return ReadAssignment(right, true);
}

QuickParser::Ref QuickParser::ReadDottedName() {
  const Ref made = Make(Kind::kDottedName, lexer_.begin(), 0);
  Children parts(*this, made);
  do {
    if (!Is(Token::kName)) return Fault();
    parts.Add(Leaf(Kind::kIdentifier));
  } while (Take(Token::kDot));
  return parts.Done();
}

void QuickParser::ReadImportedNames(Children& into) {
  while (true) {
    const Ref name = ReadDottedName();
    if (Take(Token::kAs)) {
      if (!Is(Token::kName)) return lexer_.Fault();
      const Ref alias = Leaf(Kind::kIdentifier);
      const Ref made = Pair(Kind::kAliasedImport, name, alias);
      made_[name].field = Field::kName;
      made_[alias].field = Field::kAlias;
      into.Add(made, Field::kName);
    } else {
      into.Add(name, Field::kName);
    }
    if (!Take(Token::kComma) || Is(Token::kCloseRound)) return;
  }
}

QuickParser::Ref QuickParser::ReadImport() {
  const Ref made = Make(Kind::kImportStatement, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  ReadImportedNames(parts);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadFrom() {
  const Ref made = Make(Kind::kImportFromStatement, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  if (Is(Token::kDot) || Is(Token::kEllipsis)) {
    const Ref relative = Make(Kind::kRelativeImport, lexer_.begin(), 0);
    Children dots(*this, relative);
    const Ref prefix = Make(Kind::kOther, lexer_.begin(), 0);
    while (Is(Token::kDot) || Is(Token::kEllipsis)) {
      made_[prefix].end = lexer_.end();
      lexer_.Next();
    }
    dots.Add(prefix);
    if (Is(Token::kName)) dots.Add(ReadDottedName());
    parts.Add(dots.Done(), Field::kModuleName);
  } else {
    const Ref name = ReadDottedName();
    const Made& read = made_[name];
    if (lexer_.text().substr(read.begin, read.end - read.begin) == "__future__") {
      made_[made].kind = Kind::kFutureImportStatement;
    } else {
      parts.Add(name, Field::kModuleName);
    }
  }
  if (!Expect(Token::kImport)) return 0;
  if (Is(Token::kStar)) {
    if (made_[made].kind == Kind::kFutureImportStatement) return Fault();
    parts.Add(Leaf(Kind::kWildcardImport));
    return parts.Done();
  }
  if (!Take(Token::kOpenRound)) {
    ReadImportedNames(parts);
    return parts.Done();
  }
  ReadImportedNames(parts);
  return parts.DoneAt(ExpectEnd(Token::kCloseRound));
}

QuickParser::Ref QuickParser::ReadWordStatement() {
  const Token word = lexer_.token();
  const Ref made =
      Make(word == Token::kDel ? Kind::kDeleteStatement : Kind::kOther, lexer_.begin(), lexer_.end());
  Children parts(*this, made);
  lexer_.Next();
  if (word == Token::kReturn && EndsStatement(lexer_.token())) return made;
  if (word != Token::kAssert) {
    parts.Add(ReadExpressions());
    return parts.Done();
  }
  do parts.Add(ReadExpression());
  while (Take(Token::kComma));
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadRaise() {
  const Ref made = Make(Kind::kOther, lexer_.begin(), lexer_.end());
  Children parts(*this, made);
  lexer_.Next();
  if (EndsStatement(lexer_.token())) return made;
  parts.Add(ReadExpression());
  if (Take(Token::kFrom)) parts.Add(ReadExpression());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadNames(Kind kind) {
  const Ref made = Make(kind, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  do {
    if (!Is(Token::kName)) return Fault();
    parts.Add(Leaf(Kind::kIdentifier));
  } while (Take(Token::kComma));
  return parts.Done();
}

}  // namespace casemate
