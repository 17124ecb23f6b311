#include "policy/checks/quick_nodes.h"

namespace casemate {

// From the colon: a block of statements below, or the rest of the line.
QuickParser::Ref QuickParser::ReadSuite() {
  if (!Expect(Token::kColon)) return 0;
  const bool below = Take(Token::kNewline);
  if (below && !Expect(Token::kIndent)) return 0;
  const Ref block = Make(Kind::kBlock, lexer_.begin(), 0);
  Children statements(*this, block);
  if (!below) {
    ReadSimpleStatements(statements);
    return statements.Done();
  }
  do ReadStatement(statements);
  while (!Is(Token::kDedent) && !Is(Token::kFault) && !Is(Token::kEnd));
  Expect(Token::kDedent);
  return statements.Done();
}

QuickParser::Ref QuickParser::ReadElse() {
  const Ref made = Make(Kind::kElseClause, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  parts.Add(ReadSuite(), Field::kBody);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadIf() {
  const Ref made = Make(Kind::kIfStatement, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  parts.Add(ReadExpression());
  parts.Add(ReadSuite());
  while (Is(Token::kElif)) {
    const Ref clause = Make(Kind::kElifClause, lexer_.begin(), 0);
    Children inner(*this, clause);
    lexer_.Next();
    inner.Add(ReadExpression());
    inner.Add(ReadSuite());
    parts.Add(inner.Done());
  }
  if (Is(Token::kElse)) parts.Add(ReadElse());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadWhile() {
  const Ref made = Make(Kind::kWhileStatement, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  parts.Add(ReadExpression());
  parts.Add(ReadSuite(), Field::kBody);
  if (Is(Token::kElse)) parts.Add(ReadElse());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadFor(std::uint32_t begin) {
  const Ref made = Make(Kind::kForStatement, begin, 0);
  Children parts(*this, made);
  lexer_.Next();
  bool several = false;
  parts.Add(ReadTargets(several), Field::kLeft);
  if (!Expect(Token::kIn)) return 0;
  parts.Add(ReadExpressions(), Field::kRight);
  parts.Add(ReadSuite(), Field::kBody);
  if (Is(Token::kElse)) parts.Add(ReadElse());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadTry() {
  const Ref made = Make(Kind::kTryStatement, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  parts.Add(ReadSuite(), Field::kBody);
  if (!Is(Token::kExcept) && !Is(Token::kFinally)) return Fault();
  const bool guarded = Is(Token::kExcept);
  while (Is(Token::kExcept)) parts.Add(ReadExcept());
  if (guarded && Is(Token::kElse)) parts.Add(ReadElse());
  if (Is(Token::kFinally)) {
    const Ref clause = Make(Kind::kFinallyClause, lexer_.begin(), 0);
    Children inner(*this, clause);
    lexer_.Next();
    inner.Add(ReadSuite());
    parts.Add(inner.Done());
  }
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadExcept() {
  const Ref made = Make(Kind::kExceptClause, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  if (!Is(Token::kColon)) parts.Add(ReadAliased(), Field::kValue);
  parts.Add(ReadSuite());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadWith(std::uint32_t begin) {
  const Ref made = Make(Kind::kWithStatement, begin, 0);
  Children parts(*this, made);
  lexer_.Next();
  // Parentheses around items, or of an item.
  if (Is(Token::kOpenRound)) return Fault();
  const Ref clause = Make(Kind::kOther, lexer_.begin(), 0);
  Children items(*this, clause);
  do items.Add(Around(Kind::kOther, ReadAliased(), Field::kValue));
  while (Take(Token::kComma));
  parts.Add(items.Done());
  parts.Add(ReadSuite(), Field::kBody);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadDefinition() {
  return Is(Token::kClass) ? ReadClass() : ReadFunction(lexer_.begin());
}

QuickParser::Ref QuickParser::ReadFunction(std::uint32_t begin) {
  const Ref made = Make(Kind::kFunctionDefinition, begin, 0);
  Children parts(*this, made);
  if (!Expect(Token::kDef) || !Is(Token::kName)) return Fault();
  parts.Add(Leaf(Kind::kIdentifier), Field::kName);
  if (!Is(Token::kOpenRound)) return Fault();
  parts.Add(ReadParameters(Kind::kParameters, Token::kCloseRound), Field::kParameters);
  if (Take(Token::kArrow)) parts.Add(ReadType());
  parts.Add(ReadSuite(), Field::kBody);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadClass() {
  const Ref made = Make(Kind::kClassDefinition, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  if (!Is(Token::kName)) return Fault();
  parts.Add(Leaf(Kind::kIdentifier), Field::kName);
  if (Is(Token::kOpenRound)) {
    const Ref bases = ReadArguments(0);
    if (made_[bases].kind != Kind::kArgumentList) return Fault();
    parts.Add(bases, Field::kSuperclasses);
  }
  parts.Add(ReadSuite(), Field::kBody);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadDecorated() {
  const Ref made = Make(Kind::kDecoratedDefinition, lexer_.begin(), 0);
  Children parts(*this, made);
  while (Is(Token::kAt)) {
    const std::uint32_t begin = lexer_.begin();
    lexer_.Next();
    const Ref decorator = Around(Kind::kDecorator, ReadExpression(), Field::kNone);
    made_[decorator].begin = begin;
    parts.Add(decorator);
    if (!Expect(Token::kNewline)) return 0;
  }
  const std::uint32_t begin = lexer_.begin();
  if (Take(Token::kAsync)) {
    parts.Add(ReadFunction(begin));
  } else if (Is(Token::kDef) || Is(Token::kClass)) {
    parts.Add(ReadDefinition());
  } else {
    return Fault();
  }
  return parts.Done();
}

// With its parentheses, for a function; up to the colon, for a lambda.
QuickParser::Ref QuickParser::ReadParameters(Kind kind, Token end) {
  const Ref made = Make(kind, lexer_.begin(), 0);
  Children parts(*this, made);
  const bool round = end == Token::kCloseRound;
  if (round) lexer_.Next();
  std::uint32_t last = 0;
  while (!Is(end) && !Is(Token::kFault)) {
    const Ref parameter = ReadParameter(round);
    last = made_[parameter].end;
    parts.Add(parameter);
    if (!Is(Token::kComma)) break;
    last = lexer_.end();
    lexer_.Next();
  }
  return parts.DoneAt(round ? ExpectEnd(end) : last);
}

QuickParser::Ref QuickParser::ReadParameter(bool typed) {
  const std::uint32_t begin = lexer_.begin();
  Ref name = 0;
  if (Is(Token::kStar) || Is(Token::kPower)) {
    const std::uint32_t end = lexer_.end();
    const bool star = Take(Token::kStar);
    if (!star) lexer_.Next();
    if (!Is(Token::kName)) return star ? Make(Kind::kOther, begin, end) : Fault();
    name = Around(star ? Kind::kListSplatPattern : Kind::kDictionarySplatPattern, Leaf(Kind::kIdentifier),
                  Field::kNone);
    made_[name].begin = begin;
  } else if (Is(Token::kTimes) && lexer_.text()[begin] == '/' && lexer_.end() == begin + 1) {
    return Leaf(Kind::kOther);
  } else if (Is(Token::kName)) {
    name = Leaf(Kind::kIdentifier);
  } else {
    return Fault();
  }
  const bool plain = made_[name].kind == Kind::kIdentifier;
  Ref type = 0;
  if (typed && Take(Token::kColon)) type = ReadType();
  if (!Is(Token::kEqual)) {
    if (type == 0) return name;
    const Ref made = Pair(Kind::kTypedParameter, name, type);
    made_[type].field = Field::kType;
    return made;
  }
  if (!plain) return Fault();
  lexer_.Next();
  const Ref made = Make(type == 0 ? Kind::kDefaultParameter : Kind::kTypedDefaultParameter, begin, 0);
  Children parts(*this, made);
  parts.Add(name, Field::kName);
  parts.Add(type, Field::kType);
  parts.Add(ReadExpression(), Field::kValue);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadType() { return MakeType(ReadExpression()); }

// Whether `type` is a name with types in brackets, or a union that begins with one.
bool QuickParser::IsGeneric(Ref type) const {
  const Ref first = made_[type].first;
  if (made_[type].kind == Kind::kSubscript) return made_[first].kind == Kind::kIdentifier;
  return IsUnion(type) && IsGeneric(first);
}

bool QuickParser::IsUnion(Ref expression) const {
  if (made_[expression].kind != Kind::kBinaryOperator) return false;
  const Ref left = made_[expression].first;
  const std::uint32_t begin = made_[left].end;
  return lexer_.text().substr(begin, made_[made_[left].next].begin - begin).contains('|');
}

// An annotation: for the grammar, what is in brackets behind a name alone are types as well.
QuickParser::Ref QuickParser::MakeType(Ref expression) {
  const Deeper deeper(*this);
  const Kind kind = made_[expression].kind;
  if (kind == Kind::kSlice || kind == Kind::kNamedExpression || kind == Kind::kListSplat) return Fault();
  if (!IsGeneric(expression)) {
    // A name with types may be the beginning of more.
    for (Ref part = made_[expression].first; part != 0; part = made_[part].first) {
      if (made_[part].begin == made_[expression].begin && IsGeneric(part)) return Fault();
    }
    return Around(Kind::kType, expression, Field::kNone);
  }
  if (kind == Kind::kBinaryOperator) {
    const Ref first = made_[expression].first;
    if (IsUnion(first)) return Fault();
    const Ref second = made_[first].next;
    made_[first].next = 0;
    const Ref left = MakeType(first);
    const Ref right = MakeType(second);
    const Ref both = Pair(Kind::kOther, left, right);
    return Around(Kind::kType, both, Field::kNone);
  }
  const Ref name = made_[expression].first;
  const std::string_view word = lexer_.text().substr(made_[name].begin, made_[name].end - made_[name].begin);
  if (word == "print" || word == "exec") return Fault();
  const auto open = static_cast<std::uint32_t>(lexer_.text().find_first_not_of(' ', made_[name].end));
  if (lexer_.text()[open] != '[') return Fault();
  const Ref list = Make(Kind::kOther, open, made_[expression].end);
  Children types(*this, list);
  for (Ref part = made_[name].next; part != 0;) {
    const Ref next = made_[part].next;
    made_[part].next = 0;
    types.Add(MakeType(part));
    part = next;
  }
  made_[expression].kind = Kind::kOther;
  made_[name].field = Field::kNone;
  made_[name].next = list;
  return Around(Kind::kType, expression, Field::kNone);
}

}  // namespace casemate
