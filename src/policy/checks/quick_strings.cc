#include <algorithm>
#include <array>

#include "policy/checks/quick_nodes.h"

namespace casemate {
namespace {

bool IsHex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr auto kSpecial = [] {
  std::array<bool, 256> special{};
  for (const char c : std::string_view("\\\n'\"{}")) special[static_cast<unsigned char>(c)] = true;
  return special;
}();

}  // namespace

struct QuickParser::StringStyle {
  char quote;
  bool triple;
  bool format;
  bool raw;
  bool bytes;

  bool EndsAt(std::string_view text, std::uint32_t at) const {
    return at + 2 < text.size() && text[at + 1] == quote && text[at + 2] == quote;
  }
  // To the next byte that may be of meaning.
  std::uint32_t SkipPlain(std::string_view text, std::uint32_t at, bool& ink) const {
    const std::uint32_t begin = at;
    while (at < text.size()) {
      const char c = text[at];
      if (kSpecial[static_cast<unsigned char>(c)] && (format || (c != '{' && c != '}'))) break;
      ++at;
    }
    ink = ink || at > begin;
    return at;
  }
};

QuickParser::Ref QuickParser::ReadStrings() {
  const Ref first = ReadString();
  if (!Is(Token::kString)) return first;
  const Ref made = Make(Kind::kConcatenatedString, made_[first].begin, 0);
  Children parts(*this, made);
  parts.Add(first);
  while (Is(Token::kString)) parts.Add(ReadString());
  return parts.Done();
}

QuickParser::Ref QuickParser::ReadString() {
  const std::uint32_t begin = lexer_.begin();
  const std::uint32_t inner = lexer_.end();
  const std::string_view start = lexer_.text().substr(begin, inner - begin);
  const auto has = [start](std::string_view letters) {
    return start.find_first_of(letters) != std::string_view::npos;
  };
  const StringStyle style = {.quote = start.back(),
                             .triple = start.size() >= 3 && start[start.size() - 3] == start.back(),
                             .format = has("fF"),
                             .raw = has("rR"),
                             .bytes = has("bB")};
  const Ref made = Make(Kind::kString, begin, 0);
  Children parts(*this, made);
  parts.Add(Make(Kind::kStringStart, begin, inner));
  std::uint32_t closing = 0;
  if (!ReadContent(parts, style, closing)) return Fault();
  const std::uint32_t end = lexer_.at() + (style.triple ? 3 : 1);
  parts.Add(Make(Kind::kOther, closing, end));
  lexer_.Jump(end);
  lexer_.Next();
  return parts.DoneAt(end);
}

// How long the escape at `at` (its backslash) is; 0 when it is none and stands for itself.
std::uint32_t QuickParser::EscapeLength(std::uint32_t at, bool bytes) {
  const std::string_view rest = lexer_.text().substr(at);
  if (rest.size() < 2) return 0;
  const char mark = rest[1];
  const auto hex = [&](std::uint32_t count) -> std::uint32_t {
    if (rest.size() < 2 + count) return 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!IsHex(rest[2 + i])) return 0;
    }
    return 2 + count;
  };
  if (IsDigit(mark)) {
    std::uint32_t length = 2;
    while (length < 4 && length < rest.size() && IsDigit(rest[length])) ++length;
    return length;
  }
  switch (mark) {
    case 'x':
      return hex(2);
    case 'u':
    case 'U':
      if (bytes) Fault();
      return hex(mark == 'u' ? 4 : 8);
    case 'N': {
      if (bytes) Fault();
      const std::size_t close = rest.size() > 2 && rest[2] == '{' ? rest.find('}') : std::string_view::npos;
      return close == std::string_view::npos || close == 3 ? 0 : static_cast<std::uint32_t>(close + 1);
    }
    case '\n':
    case '\'':
    case '"':
    case '\\':
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
      return 2;
    default:
      return 0;
  }
}

// Up to the closing quotes; where these begin for the grammar is in `end`, where they do is the lexer left.
// False for what has no end, or is not ours.
bool QuickParser::ReadContent(Children& parts, const StringStyle& style, std::uint32_t& end) {
  const std::string_view text = lexer_.text();
  std::uint32_t at = lexer_.at();
  while (true) {
    const Ref content = Make(Kind::kStringContent, at, 0);
    Children escapes(*this, content);
    const std::uint32_t begin = at;
    std::uint32_t piece = at;  // of the content, between doubled braces
    bool ink = false;          // in the piece; what a raw string escapes is none for the grammar
    while (true) {
      at = style.SkipPlain(text, at, ink);
      if (at >= text.size()) return false;
      const char c = text[at];
      if (c == '\\' && style.raw) {
        at += 1;
        if (at < text.size() && (text[at] == style.quote || text[at] == '\\' || text[at] == '\n')) ++at;
      } else if (c == '\\') {
        const std::uint32_t length = EscapeLength(at, style.bytes);
        if (length > 0) escapes.Add(Make(Kind::kEscapeSequence, at, at + length));
        if (style.format && text.substr(at + 1, 1) == "{") return false;
        at += std::max(length, 1U);
      } else if (c == '{' || c == '}') {
        if (style.raw && !ink && at > piece) return false;
        if (at + 1 >= text.size() || text[at + 1] != c) break;
        escapes.Add(Make(Kind::kOther, at, at + 2));
        at = piece = at + 2;
        ink = false;
      } else if (c == style.quote && (!style.triple || style.EndsAt(text, at))) {
        break;
      } else if (c == '\n' && !style.triple) {
        return false;
      } else {
        ++at;
        ink = true;
      }
    }
    const bool closed = text[at] == style.quote;
    if (!closed && text[at] != '{') return false;
    end = closed && style.raw && !ink ? piece : at;
    if (end > begin) parts.Add(escapes.DoneAt(end));
    lexer_.Jump(at);
    if (closed) return !Is(Token::kFault);
    parts.Add(ReadInterpolation(Kind::kInterpolation, at));
    if (Is(Token::kFault)) return false;
    at = lexer_.at();
  }
}

// From the opening brace at `open` to behind the closing one, where the lexer is left.
QuickParser::Ref QuickParser::ReadInterpolation(Kind kind, std::uint32_t open) {
  const Deeper deeper(*this);
  const Ref made = Make(kind, open, 0);
  Children parts(*this, made);
  lexer_.OpenBracket();
  lexer_.Jump(open + 1);
  lexer_.Next();
  parts.Add(Is(Token::kYield) ? ReadYield() : ReadExpressions());
  Take(Token::kEqual);
  if (Is(Token::kBang)) {
    const std::uint32_t bang = lexer_.begin();
    lexer_.Next();
    if (!Is(Token::kName) || lexer_.begin() != bang + 1 || lexer_.end() != bang + 2) return Fault();
    parts.Add(Make(Kind::kOther, bang, lexer_.end()));
    lexer_.Next();
  }
  std::uint32_t end = lexer_.end();
  if (Is(Token::kColon)) {
    const Ref specifier = ReadFormat(lexer_.begin());
    parts.Add(specifier);
    if (Is(Token::kFault)) return 0;
    end = lexer_.at() + 1;
    lexer_.CloseBracket();
    lexer_.Jump(end);
  } else if (!Is(Token::kCloseCurly)) {
    return Fault();
  }
  // The grammar has its own ways with lines inside of braces.
  if (lexer_.text().substr(open, end - open).contains('\n')) return Fault();
  return parts.DoneAt(end);
}

// From the colon to before the closing brace, where the lexer is left.
QuickParser::Ref QuickParser::ReadFormat(std::uint32_t colon) {
  const Ref made = Make(Kind::kOther, colon, 0);
  Children parts(*this, made);
  const std::string_view text = lexer_.text();
  std::uint32_t at = colon + 1;
  while (at < text.size() && text[at] != '}' && text[at] != '\n' && text[at] != '\\' && text[at] != '"' &&
         text[at] != '\'') {
    if (text[at] != '{') {
      ++at;
      continue;
    }
    parts.Add(ReadInterpolation(Kind::kOther, at));
    if (Is(Token::kFault)) return 0;
    at = lexer_.at();
  }
  if (at >= text.size() || text[at] != '}') return Fault();
  lexer_.Jump(at);
  return parts.DoneAt(at);
}

}  // namespace casemate
