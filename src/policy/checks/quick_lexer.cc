#include "policy/checks/quick_lexer.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace casemate {
namespace {

enum : std::uint8_t { kBlank = 1, kLetter = 2, kDigit = 4, kHex = 8 };

constexpr auto kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  classes[' '] = classes['\t'] = classes['\f'] = kBlank;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kDigit | kHex;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = kLetter | (c <= 'f' ? kHex : 0);
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kLetter | (c <= 'F' ? kHex : 0);
  classes['_'] = kLetter;
  return classes;
}();

std::uint8_t ClassOf(char c) { return kClasses[static_cast<unsigned char>(c)]; }

struct Word {
  std::string_view text;
  Token token;
};
constexpr std::array kWords = {
    Word{"and", Token::kAnd},
    Word{"as", Token::kAs},
    Word{"assert", Token::kAssert},
    Word{"async", Token::kAsync},
    Word{"await", Token::kAwait},
    Word{"break", Token::kBreak},
    Word{"class", Token::kClass},
    Word{"continue", Token::kContinue},
    Word{"def", Token::kDef},
    Word{"del", Token::kDel},
    Word{"elif", Token::kElif},
    Word{"else", Token::kElse},
    Word{"except", Token::kExcept},
    Word{"False", Token::kFalse},
    Word{"finally", Token::kFinally},
    Word{"for", Token::kFor},
    Word{"from", Token::kFrom},
    Word{"global", Token::kGlobal},
    Word{"if", Token::kIf},
    Word{"import", Token::kImport},
    Word{"in", Token::kIn},
    Word{"is", Token::kIs},
    Word{"lambda", Token::kLambda},
    Word{"None", Token::kNone},
    Word{"nonlocal", Token::kNonlocal},
    Word{"not", Token::kNot},
    Word{"or", Token::kOr},
    Word{"pass", Token::kPass},
    Word{"raise", Token::kRaise},
    Word{"return", Token::kReturn},
    Word{"True", Token::kTrue},
    Word{"try", Token::kTry},
    Word{"while", Token::kWhile},
    Word{"with", Token::kWith},
    Word{"yield", Token::kYield},
};
constexpr std::uint32_t kWordLengthMax = 8;

constexpr std::uint64_t KeyOf(std::string_view word) {
  std::uint64_t key = 0;
  for (std::size_t i = word.size(); i-- > 0;) key = key << 8 | static_cast<unsigned char>(word[i]);
  return key;
}

constexpr std::size_t kSlots = 128;
constexpr std::size_t SlotOf(std::uint64_t key) { return (key * 0x9E3779B97F4A7C15U) >> 57; }

struct Slot {
  std::uint64_t key = 0;
  Token token = Token::kName;
};
constexpr auto kWordSlots = [] {
  std::array<Slot, kSlots> slots{};
  for (const Word& word : kWords) {
    std::size_t at = SlotOf(KeyOf(word.text));
    while (slots[at].key != 0) at = (at + 1) % kSlots;
    slots[at] = {KeyOf(word.text), word.token};
  }
  return slots;
}();

Token WordOf(std::string_view word) {
  if (word.size() > kWordLengthMax) return Token::kName;
  const std::uint64_t key = KeyOf(word);
  for (std::size_t at = SlotOf(key);; at = (at + 1) % kSlots) {
    if (kWordSlots[at].key == key) return kWordSlots[at].token;
    if (kWordSlots[at].key == 0) return Token::kName;
  }
}

// Whether a word is what stands before the quotes of a string.
bool IsStringPrefix(std::string_view word) {
  if (word.size() > 2) return false;
  return word.find_first_not_of("rRbBuUfF") == std::string_view::npos;
}

}  // namespace

QuickLexer::QuickLexer(std::string_view text) : text_(text) { Next(); }

void QuickLexer::Take(Token token, std::uint32_t length) {
  token_ = token;
  at_ = end_ = begin_ + length;
}

void QuickLexer::TakeOrAugmented(Token token, std::uint32_t length) {
  const bool augmented = At(begin_ + length) == '=';
  Take(augmented ? Token::kAugmented : token, length + (augmented ? 1 : 0));
}

// Blanks, comments, continued lines and, in brackets, ends of lines. False for what is none of our business.
bool QuickLexer::SkipBlank() {
  while (true) {
    while ((ClassOf(At(at_)) & kBlank) != 0) ++at_;
    const char c = At(at_);
    if (c == '#') {
      at_ = static_cast<std::uint32_t>(std::min(text_.find('\n', at_), text_.size()));
    } else if (c == '\n' && brackets_ > 0) {
      ++at_;
      // The grammar takes some lines that are indented less than their block for the block's end, also in
      // brackets.
      const std::uint32_t indent = ReadIndent();
      const char first = At(at_);
      const bool closes = first == ')' || first == ']' || first == '}';
      if (indent < indents_.back() && first != '\n' && !closes) return false;
    } else if (c == '\\') {
      if (At(at_ + 1) != '\n' || at_ + 2 >= text_.size()) return false;
      at_ += 2;
    } else {
      return true;
    }
  }
}

std::uint32_t QuickLexer::ReadIndent() {
  for (std::uint32_t indent = 0;; ++at_) {
    const char c = At(at_);
    if (c == ' ') {
      ++indent;
    } else if (c == '\t') {
      indent += 8;
    } else if (c == '\f') {
      indent = 0;
    } else {
      return indent;
    }
  }
}

// At the beginning of a line: past empty ones, to the first that has a token. False for a fault.
bool QuickLexer::StartLine() {
  std::uint32_t indent = 0;
  while (true) {
    indent = ReadIndent();
    if (At(at_) == '\\') return false;
    if (At(at_) == '#' && !SkipBlank()) return false;
    if (At(at_) != '\n') break;
    ++at_;
  }
  line_begins_ = false;
  begin_ = end_ = at_;
  if (at_ >= text_.size()) indent = 0;
  if (indent > indents_.back()) {
    indents_.push_back(indent);
    token_ = Token::kIndent;
    return true;
  }
  while (indent < indents_.back()) {
    indents_.pop_back();
    ++dedents_;
  }
  return indent == indents_.back();
}

void QuickLexer::Next() {
  if (token_ == Token::kFault || token_ == Token::kEnd) return;
  if (line_begins_) {
    token_ = Token::kNewline;
    if (!StartLine()) return Fault();
    if (token_ == Token::kIndent) return;
  }
  if (dedents_ > 0) {
    --dedents_;
    token_ = Token::kDedent;
    return;
  }
  if (!SkipBlank()) return Fault();
  begin_ = at_;
  if (at_ >= text_.size()) {
    end_ = begin_;
    if (brackets_ > 0) return Fault();
    // A last line without an end has one all the same.
    const bool ended = token_ == Token::kNewline || token_ == Token::kDedent;
    line_begins_ = !ended;
    token_ = ended ? Token::kEnd : Token::kNewline;
    return;
  }
  const std::uint8_t first = ClassOf(text_[at_]);
  if ((first & kLetter) != 0) return ReadWord();
  if ((first & kDigit) != 0) return ReadNumber();
  ReadSign();
}

void QuickLexer::ReadWord() {
  std::uint32_t at = begin_ + 1;
  while ((ClassOf(At(at)) & (kLetter | kDigit)) != 0) ++at;
  const char after = At(at);
  if (static_cast<unsigned char>(after) >= 0x80) return Fault();
  const std::string_view word = text_.substr(begin_, at - begin_);
  if ((after == '"' || after == '\'') && IsStringPrefix(word)) {
    at_ = at;
    const bool triple = At(at + 1) == after && At(at + 2) == after;
    return Take(Token::kString, at - begin_ + (triple ? 3 : 1));
  }
  Take(WordOf(word), at - begin_);
}

void QuickLexer::ReadNumber() {
  std::uint32_t at = begin_;
  bool whole = true;
  const auto digits = [&](std::uint8_t kind) {
    while ((ClassOf(At(at)) & kind) != 0 || (At(at) == '_' && (ClassOf(At(at + 1)) & kind) != 0)) ++at;
  };
  const char mark = static_cast<char>(At(at + 1) | 0x20);
  if (At(at) == '0' && mark == 'x') {
    at += 2;
    if ((ClassOf(At(at)) & kHex) == 0) return Fault();
    digits(kHex);
  } else if (At(at) == '0' && (mark == 'o' || mark == 'b')) {
    at += 2;
    const std::uint32_t begin = at;
    const char top = mark == 'o' ? '7' : '1';
    while (At(at) >= '0' && At(at) <= top) ++at;
    if (at == begin) return Fault();
  } else {
    digits(kDigit);
    if (At(at) == '.') {
      whole = false;
      ++at;
      if ((ClassOf(At(at)) & kDigit) != 0) digits(kDigit);
    }
    if (At(at) == 'e' || At(at) == 'E') {
      whole = false;
      at += At(at + 1) == '+' || At(at + 1) == '-' ? 2U : 1U;
      if ((ClassOf(At(at)) & kDigit) == 0) return Fault();
      digits(kDigit);
    }
    if (At(at) == 'j' || At(at) == 'J') ++at;
  }
  if ((ClassOf(At(at)) & (kLetter | kDigit)) != 0 || static_cast<unsigned char>(At(at)) >= 0x80)
    return Fault();
  Take(whole ? Token::kInteger : Token::kFloat, at - begin_);
}

void QuickLexer::ReadSign() {
  const char c = text_[begin_];
  const char second = At(begin_ + 1);
  const bool doubled = second == c;
  switch (c) {
    case '\n':
      Take(Token::kNewline, 1);
      line_begins_ = true;
      end_ = begin_;
      return;
    case '(':
    case '[':
    case '{':
      ++brackets_;
      return Take(c == '(' ? Token::kOpenRound : c == '[' ? Token::kOpenSquare : Token::kOpenCurly, 1);
    case ')':
    case ']':
    case '}':
      if (--brackets_ < 0) return Fault();
      return Take(c == ')' ? Token::kCloseRound : c == ']' ? Token::kCloseSquare : Token::kCloseCurly, 1);
    case ',':
      return Take(Token::kComma, 1);
    case ';':
      return Take(Token::kSemicolon, 1);
    case '~':
      return Take(Token::kTilde, 1);
    case ':':
      return second == '=' ? Take(Token::kWalrus, 2) : Take(Token::kColon, 1);
    case '.':
      if ((ClassOf(second) & kDigit) != 0) return ReadNumber();
      if (second == '.' && At(begin_ + 2) == '.') return Take(Token::kEllipsis, 3);
      return Take(Token::kDot, 1);
    case '"':
    case '\'':
      return Take(Token::kString, doubled && At(begin_ + 2) == c ? 3 : 1);
    case '=':
      return doubled ? Take(Token::kCompare, 2) : Take(Token::kEqual, 1);
    case '!':
      return second == '=' ? Take(Token::kCompare, 2) : Take(Token::kBang, 1);
    case '+':
      return TakeOrAugmented(Token::kPlus, 1);
    case '-':
      return second == '>' ? Take(Token::kArrow, 2) : TakeOrAugmented(Token::kPlus, 1);
    case '*':
      return doubled ? TakeOrAugmented(Token::kPower, 2) : TakeOrAugmented(Token::kStar, 1);
    case '/':
      return TakeOrAugmented(Token::kTimes, doubled ? 2 : 1);
    case '%':
      return TakeOrAugmented(Token::kTimes, 1);
    case '@':
      return TakeOrAugmented(Token::kAt, 1);
    case '&':
      return TakeOrAugmented(Token::kBitAnd, 1);
    case '|':
      return TakeOrAugmented(Token::kBitOr, 1);
    case '^':
      return TakeOrAugmented(Token::kXor, 1);
    case '<':
    case '>':
      if (doubled) return TakeOrAugmented(Token::kShift, 2);
      if (c == '<' && second == '>') return Fault();
      return Take(Token::kCompare, second == '=' ? 2 : 1);
    default:
      return Fault();
  }
}

}  // namespace casemate
