#include "policy/checks/quick_nodes.h"

namespace casemate {

namespace {

// Behind a comma at the end of a line, the grammar looks in the next one for more of what is assigned to.
bool MayBePattern(Kind kind) {
  switch (kind) {
    case Kind::kBinaryOperator:
    case Kind::kCall:
    case Kind::kConcatenatedString:
    case Kind::kInteger:
    case Kind::kString:
      return false;
    default:
      return true;
  }
}

}  // namespace

// `a`, or `a, b` as a list.
QuickParser::Ref QuickParser::ReadExpressions() {
  const Ref first = ReadExpression();
  if (!Is(Token::kComma)) return first;
  const Ref list = Make(Kind::kExpressionList, made_[first].begin, 0);
  Children parts(*this, list);
  parts.Add(first);
  std::uint32_t end = 0;
  while (Is(Token::kComma)) {
    end = lexer_.end();
    lexer_.Next();
    if (Is(Token::kNewline) && MayBePattern(made_[parts.last()].kind)) return Fault();
    if (Is(Token::kNewline) || Is(Token::kSemicolon) || Is(Token::kColon) || Is(Token::kCloseRound) ||
        Is(Token::kEqual)) {
      return parts.DoneAt(end);
    }
    parts.Add(ReadExpression());
  }
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadExpression() {
  const Deeper deeper(*this);
  if (Is(Token::kLambda)) return ReadLambda();
  const Ref value = ReadDisjunction();
  if (Is(Token::kWalrus)) {
    if (made_[value].kind != Kind::kIdentifier) return Fault();
    lexer_.Next();
    const Ref right = ReadExpression();
    const Ref named = Pair(Kind::kNamedExpression, value, right);
    made_[value].field = Field::kName;
    made_[right].field = Field::kValue;
    return named;
  }
  if (!Is(Token::kIf)) return value;
  lexer_.Next();
  const Ref condition = ReadDisjunction();
  if (!Expect(Token::kElse)) return 0;
  const Ref otherwise = ReadExpression();
  const Ref made = Make(Kind::kConditionalExpression, made_[value].begin, 0);
  Children parts(*this, made);
  parts.Add(value);
  parts.Add(condition);
  parts.Add(otherwise);
  return parts.Done();
}

// `a as b`, where it may stand.
QuickParser::Ref QuickParser::ReadAliased() {
  const Ref value = ReadExpression();
  if (!Take(Token::kAs)) return value;
  const Ref alias = ReadPrimary();
  const Kind kind = made_[alias].kind;
  if (kind != Kind::kIdentifier && kind != Kind::kAttribute && kind != Kind::kSubscript &&
      kind != Kind::kTuple && kind != Kind::kList) {
    return Fault();
  }
  const Ref target = Around(Kind::kAsPatternTarget, alias, Field::kNone);
  const Ref made = Pair(Kind::kAsPattern, value, target);
  made_[target].field = Field::kAlias;
  return made;
}

QuickParser::Ref QuickParser::ReadDisjunction() {
  Ref left = ReadConjunction();
  while (Take(Token::kOr)) {
    const Ref right = Is(Token::kLambda) ? ReadLambda() : ReadConjunction();
    const Ref made = Pair(Kind::kBooleanOperator, left, right);
    made_[left].field = Field::kLeft;
    made_[right].field = Field::kRight;
    left = made;
  }
  return left;
}

QuickParser::Ref QuickParser::ReadConjunction() {
  Ref left = ReadNegation();
  while (Take(Token::kAnd)) {
    const Ref right = Is(Token::kLambda) ? ReadLambda() : ReadNegation();
    const Ref made = Pair(Kind::kBooleanOperator, left, right);
    made_[left].field = Field::kLeft;
    made_[right].field = Field::kRight;
    left = made;
  }
  return left;
}

QuickParser::Ref QuickParser::ReadNegation() {
  if (!Is(Token::kNot)) return ReadComparison();
  const Deeper deeper(*this);
  const std::uint32_t begin = lexer_.begin();
  lexer_.Next();
  const Ref made = Around(Kind::kOther, ReadNegation(), Field::kNone);
  made_[made].begin = begin;
  return made;
}

bool QuickParser::TakeComparison() {
  if (Take(Token::kCompare) || Take(Token::kIn)) return true;
  if (Take(Token::kIs)) {
    Take(Token::kNot);
    return true;
  }
  return Take(Token::kNot) && Expect(Token::kIn);
}

QuickParser::Ref QuickParser::ReadComparison() {
  const Ref first = ReadBinary(0);
  if (!TakeComparison()) return first;
  const Ref made = Make(Kind::kOther, made_[first].begin, 0);
  Children parts(*this, made);
  parts.Add(first);
  do parts.Add(ReadBinary(0));
  while (TakeComparison());
  return parts.Done();
}

namespace {

// tree-sitter's order, in which ^ binds tighter than &.
constexpr int kPower = 8;
int StrengthOf(Token token) {
  switch (token) {
    case Token::kBitOr:
      return 1;
    case Token::kBitAnd:
      return 2;
    case Token::kXor:
      return 3;
    case Token::kShift:
      return 4;
    case Token::kPlus:
      return 5;
    case Token::kTimes:
    case Token::kStar:
    case Token::kAt:
      return 6;
    case Token::kPower:
      return kPower;
    default:
      return -1;
  }
}

}  // namespace

QuickParser::Ref QuickParser::ReadBinary(int least) {
  Ref left = ReadUnary();
  while (true) {
    const int strength = StrengthOf(lexer_.token());
    if (strength < 0 || strength < least) return left;
    lexer_.Next();
    const Deeper deeper(*this);
    const Ref right = ReadBinary(strength == kPower ? strength : strength + 1);
    const Ref made = Pair(Kind::kBinaryOperator, left, right);
    made_[left].field = Field::kLeft;
    made_[right].field = Field::kRight;
    left = made;
  }
}

QuickParser::Ref QuickParser::ReadUnary() {
  const Token token = lexer_.token();
  if (token != Token::kPlus && token != Token::kTilde && token != Token::kAwait) return ReadPrimary();
  const Deeper deeper(*this);
  const std::uint32_t begin = lexer_.begin();
  lexer_.Next();
  const Ref inner = ReadBinary(kPower);
  const Ref made = Around(token == Token::kAwait ? Kind::kOther : Kind::kUnaryOperator, inner, Field::kNone);
  made_[made].begin = begin;
  return made;
}

QuickParser::Ref QuickParser::ReadPrimary() { return ReadTrailers(ReadAtom()); }

QuickParser::Ref QuickParser::ReadTrailers(Ref value) {
  while (true) {
    if (Take(Token::kDot)) {
      if (!Is(Token::kName)) return Fault();
      const Ref name = Leaf(Kind::kIdentifier);
      const Ref made = Pair(Kind::kAttribute, value, name);
      made_[value].field = Field::kObject;
      made_[name].field = Field::kAttribute;
      value = made;
    } else if (Is(Token::kOpenRound)) {
      value = ReadArguments(value);
    } else if (Is(Token::kOpenSquare)) {
      value = ReadSubscripts(value);
    } else {
      return value;
    }
  }
}

QuickParser::Ref QuickParser::ReadAtom() {
  switch (lexer_.token()) {
    case Token::kName:
      return Leaf(Kind::kIdentifier);
    case Token::kInteger:
      return Leaf(Kind::kInteger);
    case Token::kFloat:
    case Token::kTrue:
    case Token::kFalse:
    case Token::kNone:
    case Token::kEllipsis:
      return Leaf(Kind::kOther);
    case Token::kString:
      return ReadStrings();
    case Token::kOpenRound:
      return ReadRound();
    case Token::kOpenSquare:
      return ReadSquare();
    case Token::kOpenCurly:
      return ReadCurly();
    default:
      return Fault();
  }
}

QuickParser::Ref QuickParser::ReadLambda() {
  const Deeper deeper(*this);
  const Ref made = Make(Kind::kLambda, lexer_.begin(), 0);
  Children parts(*this, made);
  lexer_.Next();
  if (!Is(Token::kColon)) {
    parts.Add(ReadParameters(Kind::kLambdaParameters, Token::kColon), Field::kParameters);
  }
  Expect(Token::kColon);
  parts.Add(ReadExpression(), Field::kBody);
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadYield() {
  const Ref made = Make(Kind::kOther, lexer_.begin(), lexer_.end());
  Children parts(*this, made);
  lexer_.Next();
  if (Take(Token::kFrom)) {
    parts.Add(ReadExpression());
  } else if (!Is(Token::kNewline) && !Is(Token::kSemicolon) && !Is(Token::kCloseRound)) {
    parts.Add(ReadExpressions());
  }
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadRound() {
  const Deeper deeper(*this);
  const Ref made = Make(Kind::kParenthesizedExpression, lexer_.begin(), 0);
  lexer_.Next();
  if (Is(Token::kCloseRound)) {
    made_[made].kind = Kind::kTuple;
    return Children(*this, made).DoneAt(ExpectEnd(Token::kCloseRound));
  }
  // A tuple that begins with a splat is one; in parentheses alone it is no expression.
  const bool splat = Is(Token::kStar);
  const Ref first = ReadElement();
  if (Is(Token::kFor) || Is(Token::kAsync)) {
    made_[made].kind = Kind::kGeneratorExpression;
    return ReadClauses(made, first, Token::kCloseRound);
  }
  if (Is(Token::kComma)) {
    made_[made].kind = Kind::kTuple;
    return ReadElements(made, first, Token::kCloseRound);
  }
  if (splat) return Fault();
  Children parts(*this, made);
  parts.Add(first);
  return parts.DoneAt(ExpectEnd(Token::kCloseRound));
}

QuickParser::Ref QuickParser::ReadSquare() {
  const Deeper deeper(*this);
  const Ref made = Make(Kind::kList, lexer_.begin(), 0);
  lexer_.Next();
  if (Is(Token::kCloseSquare)) return Children(*this, made).DoneAt(ExpectEnd(Token::kCloseSquare));
  const Ref first = ReadElement();
  if (Is(Token::kFor) || Is(Token::kAsync)) {
    made_[made].kind = Kind::kListComprehension;
    return ReadClauses(made, first, Token::kCloseSquare);
  }
  return ReadElements(made, first, Token::kCloseSquare);
}

QuickParser::Ref QuickParser::ReadCurly() {
  const Deeper deeper(*this);
  const Ref made = Make(Kind::kDictionary, lexer_.begin(), 0);
  lexer_.Next();
  if (Is(Token::kCloseCurly)) return Children(*this, made).DoneAt(ExpectEnd(Token::kCloseCurly));
  const auto read_pair = [this](Ref key) {
    const Ref value = ReadExpression();
    const Ref pair = Pair(Kind::kPair, key, value);
    made_[value].field = Field::kValue;
    return pair;
  };
  Ref first = 0;
  if (Is(Token::kPower)) {
    first = ReadSplat(Kind::kDictionarySplat);
  } else {
    first = ReadElement();
    if (!Take(Token::kColon)) {
      // A set; of no kind that we tell apart, but as a comprehension.
      const bool comprehension = Is(Token::kFor) || Is(Token::kAsync);
      made_[made].kind = comprehension ? Kind::kSetComprehension : Kind::kOther;
      return comprehension ? ReadClauses(made, first, Token::kCloseCurly)
                           : ReadElements(made, first, Token::kCloseCurly);
    }
    first = read_pair(first);
    if (Is(Token::kFor) || Is(Token::kAsync)) {
      made_[made].kind = Kind::kDictionaryComprehension;
      return ReadClauses(made, first, Token::kCloseCurly);
    }
  }
  Children parts(*this, made);
  parts.Add(first);
  while (Take(Token::kComma) && !Is(Token::kCloseCurly)) {
    if (Is(Token::kPower)) {
      parts.Add(ReadSplat(Kind::kDictionarySplat));
      continue;
    }
    const Ref key = ReadExpression();
    if (!Expect(Token::kColon)) return 0;
    parts.Add(read_pair(key));
  }
  return parts.DoneAt(ExpectEnd(Token::kCloseCurly));
}

QuickParser::Ref QuickParser::ReadElement() {
  if (Is(Token::kStar)) return ReadSplat(Kind::kListSplat);
  if (Is(Token::kYield)) return ReadYield();
  return ReadExpression();
}

QuickParser::Ref QuickParser::ReadSplat(Kind kind) {
  const std::uint32_t begin = lexer_.begin();
  lexer_.Next();
  const Ref made = Around(kind, ReadExpression(), Field::kNone);
  made_[made].begin = begin;
  return made;
}

QuickParser::Ref QuickParser::ReadElements(Ref made, Ref first, Token close) {
  Children parts(*this, made);
  parts.Add(first);
  while (Take(Token::kComma) && !Is(close)) parts.Add(ReadElement());
  return parts.DoneAt(ExpectEnd(close));
}

QuickParser::Ref QuickParser::ReadClauses(Ref made, Ref body, Token close) {
  Children parts(*this, made);
  const Kind kind = made_[body].kind;
  if (kind == Kind::kListSplat || kind == Kind::kDictionarySplat || kind == Kind::kKeywordArgument)
    return Fault();
  parts.Add(body, Field::kBody);
  while (Is(Token::kFor) || Is(Token::kAsync)) {
    const Ref clause = Make(Kind::kForInClause, lexer_.begin(), 0);
    Children inner(*this, clause);
    Take(Token::kAsync);
    Expect(Token::kFor);
    bool several = false;
    inner.Add(ReadTargets(several), Field::kLeft);
    Expect(Token::kIn);
    inner.Add(Is(Token::kLambda) ? Fault() : ReadDisjunction(), Field::kRight);
    if (Is(Token::kComma)) return Fault();
    parts.Add(inner.Done());
    while (Is(Token::kIf)) {
      const std::uint32_t begin = lexer_.begin();
      lexer_.Next();
      const Ref condition = ReadDisjunction();
      if (Is(Token::kWalrus)) return Fault();
      const Ref only = Around(Kind::kIfClause, condition, Field::kNone);
      made_[only].begin = begin;
      parts.Add(only);
    }
  }
  return parts.DoneAt(ExpectEnd(close));
}

QuickParser::Ref QuickParser::ReadArguments(Ref callee) {
  const Deeper deeper(*this);
  const Ref arguments = Make(Kind::kArgumentList, lexer_.begin(), 0);
  lexer_.Next();
  Ref done = 0;
  if (!Is(Token::kCloseRound)) {
    const Ref first = ReadArgument();
    if (Is(Token::kFor) || Is(Token::kAsync)) {
      made_[arguments].kind = Kind::kGeneratorExpression;
      done = ReadClauses(arguments, first, Token::kCloseRound);
    } else {
      Children parts(*this, arguments);
      parts.Add(first, made_[first].field);
      while (Take(Token::kComma) && !Is(Token::kCloseRound)) parts.Add(ReadArgument());
      done = parts.DoneAt(ExpectEnd(Token::kCloseRound));
    }
  } else {
    done = Children(*this, arguments).DoneAt(ExpectEnd(Token::kCloseRound));
  }
  // A class has its bases without a callee.
  if (callee == 0) return done;
  const Ref made = Pair(Kind::kCall, callee, done);
  made_[callee].field = Field::kFunction;
  made_[done].field = Field::kArguments;
  return made;
}

QuickParser::Ref QuickParser::ReadArgument() {
  if (Is(Token::kStar)) return ReadSplat(Kind::kListSplat);
  if (Is(Token::kPower)) return ReadSplat(Kind::kDictionarySplat);
  const Ref value = ReadExpression();
  if (!Is(Token::kEqual)) return value;
  if (made_[value].kind != Kind::kIdentifier) return Fault();
  lexer_.Next();
  const Ref right = ReadExpression();
  const Ref made = Pair(Kind::kKeywordArgument, value, right);
  made_[value].field = Field::kName;
  made_[right].field = Field::kValue;
  return made;
}

QuickParser::Ref QuickParser::ReadSubscripts(Ref value) {
  const Deeper deeper(*this);
  const Ref made = Make(Kind::kSubscript, made_[value].begin, 0);
  Children parts(*this, made);
  parts.Add(value, Field::kValue);
  lexer_.Next();
  do parts.Add(ReadSubscript(), Field::kSubscript);
  while (Take(Token::kComma) && !Is(Token::kCloseSquare));
  return parts.DoneAt(ExpectEnd(Token::kCloseSquare));
}

QuickParser::Ref QuickParser::ReadSubscript() {
  const std::uint32_t begin = lexer_.begin();
  Ref first = 0;
  if (!Is(Token::kColon)) {
    first = ReadExpression();
    if (!Is(Token::kColon)) return first;
  }
  const Ref made = Make(Kind::kSlice, begin, 0);
  Children parts(*this, made);
  parts.Add(first);
  std::uint32_t end = 0;
  for (int colons = 0; colons < 2 && Is(Token::kColon); ++colons) {
    end = lexer_.end();
    lexer_.Next();
    if (Is(Token::kColon) || Is(Token::kComma) || Is(Token::kCloseSquare)) continue;
    const Ref bound = ReadExpression();
    end = made_[bound].end;
    parts.Add(bound);
  }
  return parts.DoneAt(end);
}

// What is assigned to in `for` and the like; `several` when a comma made a list of it.
QuickParser::Ref QuickParser::ReadTargets(bool& several) {
  const auto read = [this] {
    if (!Is(Token::kStar)) return ReadPrimary();
    const std::uint32_t begin = lexer_.begin();
    lexer_.Next();
    const Ref splat = Around(Kind::kListSplat, ReadPrimary(), Field::kNone);
    made_[splat].begin = begin;
    return splat;
  };
  const Ref first = read();
  MakePattern(first);
  several = Is(Token::kComma);
  if (!several) return first;
  const Ref list = Make(Kind::kPatternList, made_[first].begin, 0);
  Children parts(*this, list);
  parts.Add(first);
  while (Is(Token::kComma)) {
    const std::uint32_t end = lexer_.end();
    lexer_.Next();
    if (Is(Token::kIn) || Is(Token::kEqual)) return parts.DoneAt(end);
    const Ref next = read();
    MakePattern(next);
    parts.Add(next);
  }
  return parts.Done();
}

// Turns an expression into the pattern that it is to the left of a sign of equality.
bool QuickParser::MakePattern(Ref expression) {
  const Deeper deeper(*this);
  Made& made = made_[expression];
  switch (made.kind) {
    case Kind::kIdentifier:
    case Kind::kAttribute:
    case Kind::kSubscript:
      return true;
    case Kind::kListSplat:
      made.kind = Kind::kListSplatPattern;
      return MakePattern(made.first);
    case Kind::kTuple:
    case Kind::kParenthesizedExpression:
      made.kind = Kind::kTuplePattern;
      break;
    case Kind::kList:
      made.kind = Kind::kListPattern;
      break;
    default:
      Fault();
      return false;
  }
  for (Ref part = made.first; part != 0; part = made_[part].next) {
    if (!MakePattern(part)) return false;
  }
  return true;
}

}  // namespace casemate
