#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace casemate {

enum class Token : std::uint8_t {
  kEnd,
  kFault,  // what the quick parser leaves to the whole one; stays so
  kNewline,
  kIndent,
  kDedent,
  kName,
  kInteger,
  kFloat,
  kString,  // the opening quotes, with what stands before them
  // Words.
  kAnd,
  kAs,
  kAssert,
  kAsync,
  kAwait,
  kBreak,
  kClass,
  kContinue,
  kDef,
  kDel,
  kElif,
  kElse,
  kExcept,
  kFalse,
  kFinally,
  kFor,
  kFrom,
  kGlobal,
  kIf,
  kImport,
  kIn,
  kIs,
  kLambda,
  kNone,
  kNonlocal,
  kNot,
  kOr,
  kPass,
  kRaise,
  kReturn,
  kTrue,
  kTry,
  kWhile,
  kWith,
  kYield,
  // Signs.
  kOpenRound,
  kCloseRound,
  kOpenSquare,
  kCloseSquare,
  kOpenCurly,
  kCloseCurly,
  kComma,
  kColon,
  kSemicolon,
  kDot,
  kEllipsis,
  kAt,
  kEqual,
  kWalrus,
  kArrow,
  kAugmented,  // += and its kin
  kCompare,    // < > <= >= == !=
  kPlus,       // and minus
  kTimes,      // / // %
  kStar,
  kPower,
  kBitAnd,
  kBitOr,
  kXor,
  kShift,
  kTilde,
  kBang,  // before a conversion in an f-string
};

// Python's tokens, one ahead. Reads what ordinary programs have, and makes kFault of all else: characters
// outside ASCII in names, old syntax, indentation that does not fit.
class QuickLexer {
 public:
  explicit QuickLexer(std::string_view text);

  Token token() const { return token_; }
  std::uint32_t begin() const { return begin_; }
  std::uint32_t end() const { return end_; }
  std::string_view text() const { return text_; }
  void Next();
  void Fault() { token_ = Token::kFault; }

  // For the inside of strings: where the next byte is read, and going on from there as inside of brackets.
  std::uint32_t at() const { return at_; }
  void Jump(std::uint32_t at) { at_ = at; }
  void OpenBracket() { ++brackets_; }
  void CloseBracket() { --brackets_; }

 private:
  char At(std::uint32_t at) const { return at < text_.size() ? text_[at] : '\0'; }
  bool SkipBlank();
  bool StartLine();
  std::uint32_t ReadIndent();
  void ReadWord();
  void ReadNumber();
  void ReadSign();
  void Take(Token token, std::uint32_t length);
  void TakeOrAugmented(Token token, std::uint32_t length);

  std::string_view text_;
  std::uint32_t at_ = 0;
  Token token_ = Token::kNewline;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  int brackets_ = 0;
  bool line_begins_ = true;
  int dedents_ = 0;  // still to be told
  std::vector<std::uint32_t> indents_{0};
};

}  // namespace casemate
