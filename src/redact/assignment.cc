#include "redact/assignment.h"

#include <algorithm>
#include <array>

#include "redact/text_class.h"

namespace casemate {
namespace {

constexpr std::size_t kNameMax = 40;
constexpr std::size_t kGapMax = 16;
constexpr std::size_t kShortName = 8;
constexpr std::size_t kResourceMax = 80;
constexpr std::size_t kValueMax = 1024;

bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool IsNameChar(char c) { return Is(c, kAlnumChars) || c == '_' || c == '-'; }

bool EqualsFolded(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) { return ToLower(a) == b; });
}

// Words that may follow the keyword in a name without changing what the name is of.
bool IsHarmlessRest(std::string_view rest) {
  constexpr std::array<std::string_view, 22> kWords = {
      "prod",    "production", "dev",    "test",  "testing", "staging", "stage", "live",
      "sandbox", "value",      "base64", "local", "default", "primary", "old",   "new",
      "current", "secondary",  "db",     "admin", "root",    "user"};
  while (!rest.empty()) {
    if (rest[0] == '_' || rest[0] == '-') {
      rest.remove_prefix(1);
      continue;
    }
    std::size_t length = 0;
    while (length < rest.size() && rest[length] != '_' && rest[length] != '-') ++length;
    const std::string_view word = rest.substr(0, length);
    const bool number = length <= 3 && std::ranges::all_of(word, [](char c) { return Is(c, kDigitChar); });
    const bool known =
        std::ranges::any_of(kWords, [word](std::string_view w) { return EqualsFolded(word, w); });
    if (!number && !known) return false;
    rest.remove_prefix(length);
  }
  return true;
}

// Reads on over a text; past its known end it is `open`.
class Cursor {
 public:
  Cursor(const KnownText& known, std::size_t at) : known_(&known), at_(at) {}

  std::size_t at() const { return at_; }
  std::string_view text() const { return known_->text; }
  bool open() const { return open_; }
  // '\n', which ends every assignment, at the end.
  char Peek(std::size_t ahead = 0) {
    if (at_ + ahead < known_->size()) return (*known_)[at_ + ahead];
    if (!known_->final) open_ = true;
    return '\n';
  }
  void Skip(std::size_t count) { at_ += count; }
  void MarkOpen() { open_ = true; }
  void SkipSpaces() {
    for (std::size_t i = 0; i < kGapMax && Is(Peek(), kSpaceChar); ++i) ++at_;
  }
  // A quote, perhaps behind backslashes; '\0' when there is none.
  char TakeQuote(std::size_t& backslashes) {
    std::size_t count = 0;
    while (count < 4 && Peek(count) == '\\') ++count;
    if (!IsQuote(Peek(count))) return '\0';
    const char quote = Peek(count);
    backslashes = count;
    at_ += count + 1;
    return quote;
  }
  bool Take(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (ToLower(Peek(i)) != word[i]) return false;
    }
    at_ += word.size();
    return true;
  }

 private:
  const KnownText* known_;
  std::size_t at_;
  bool open_ = false;
};

bool BeginsFlag(std::string_view text, std::size_t name_begin) {
  return name_begin >= 1 && text[name_begin] == '-' &&
         (name_begin == 0 || !Is(text[name_begin - 1], kAlnumChars));
}

std::size_t NameBegin(std::string_view text, std::size_t at) {
  const std::size_t bound = at - std::min(at, kNameMax);
  while (at > bound && IsNameChar(text[at - 1])) --at;
  return at;
}

// Names of what is meant to be passed on: keys that are public, places in a list, marks against doing a thing
// twice.
bool SaysHarmless(std::string_view name) {
  constexpr std::array<std::string_view, 8> kParts = {"public",   "next",        "page",    "continuation",
                                                      "sequence", "idempotency", "forward", "backward"};
  const auto lower_equal = [](char a, char b) { return ToLower(a) == b; };
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return !std::ranges::search(name, part, lower_equal).empty(); });
}

// `arn:aws:secretsmanager:eu-west-1:1:secret:name`: the word is a part of where a secret is kept.
bool IsInsideResourceName(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < kResourceMax && Is(text[begin - 1], kTokenChar)) --begin;
  return text.substr(begin, at - begin).find("arn:") != std::string_view::npos;
}

// The sign between name and value. False when there is none.
bool TakeOperator(Cursor& cursor, const KnownText& known, std::size_t name_begin, bool quoted_name,
                  Assignment& found) {
  const bool spaced = Is(cursor.Peek(), kSpaceChar);
  cursor.SkipSpaces();
  if (cursor.Take("=>") || cursor.Take(":=") || cursor.Take("->") || cursor.Take("==")) return true;
  if (cursor.Peek() == '=') {
    cursor.Skip(1);
    found.tight = !spaced && !Is(cursor.Peek(), kSpaceChar);
    return true;
  }
  if (cursor.Take("%3d")) return found.tight = true;
  if (cursor.Peek() == ':') {
    cursor.Skip(1);
    return cursor.Peek() != ':';
  }
  if (cursor.Take("%3a")) return true;
  if (cursor.Peek() == ',' && quoted_name) {
    cursor.Skip(1);
    return found.by_comma = true;
  }
  if (cursor.Peek() == '>' && name_begin > 0 && known[name_begin - 1] == '<') {
    cursor.Skip(1);
    return found.tight = true;
  }
  if (!spaced) return false;
  if (cursor.Take("is ") || cursor.Take("was ")) {
    if (cursor.Peek() == ':') cursor.Skip(1);
    return found.prose = true;
  }
  found.prose = BeginsFlag(known.text, name_begin);
  return found.prose;
}

// Whether what follows a separator inside an unquoted value is no more of it: a space, an end, a next name.
bool EndsBefore(Cursor cursor, bool& open) {
  cursor.Skip(1);
  cursor.SkipSpaces();
  std::size_t length = 0;
  while (length < kNameMax && (IsNameChar(cursor.Peek(length)) || cursor.Peek(length) == ' ')) ++length;
  const char next = cursor.Peek(length);
  const bool ends = length == 0 ? !Is(next, kTokenChar) || next == '-' : next == '=' || next == ':';
  open = cursor.open();
  return ends;
}

void ReadQuoted(Cursor& cursor, std::size_t backslashes, char quote, Assignment& found) {
  found.quote = quote;
  found.value_begin = cursor.at();
  for (std::size_t i = 0; i < kValueMax; ++i) {
    const char c = cursor.Peek();
    found.value_end = cursor.at();
    if (cursor.open()) return;
    if (c == '\n') {  // never closed: as if it had no quotes, to the next space
      found.quote = '\0';
      return;
    }
    if (c == quote && backslashes == 0) return;
    if (c == '\\') {
      std::size_t count = 1;
      while (count < 8 && cursor.Peek(count) == '\\') ++count;
      if (cursor.Peek(count) == quote && count <= backslashes) return;
      cursor.Skip(count);
      if (cursor.Peek() == '\n') continue;
      if (backslashes > 0 && cursor.Peek() != quote) continue;
    }
    cursor.Skip(1);
  }
  found.value_end = cursor.at();
  found.cut = true;
}

bool IsCloser(char c) { return c == ')' || c == ']' || c == '}'; }

// What a line or a sentence puts behind a value: `f(pwd=None):`, `password: hunter2, then`.
void LeavePunctuation(std::string_view text, Assignment& found) {
  const std::string_view value = text.substr(found.value_begin, found.value_end - found.value_begin);
  const bool has_opener = value.find_first_of("([{") != value.npos;
  while (found.value_end > found.value_begin) {
    const char last = text[found.value_end - 1];
    const bool punctuation = last == ',' || last == ';' || last == ':' || last == '.';
    if (!punctuation && (!IsCloser(last) || has_opener)) return;
    --found.value_end;
  }
}

void ReadBare(Cursor& cursor, Assignment& found) {
  found.value_begin = cursor.at();
  std::size_t depth = 0;
  for (std::size_t i = 0; i < kValueMax; ++i) {
    const char c = cursor.Peek();
    found.value_end = cursor.at();
    if (cursor.open()) return;
    if (static_cast<unsigned char>(c) <= ' ' || IsQuote(c) || c == '<' || c == '>' || c == '\\') {
      LeavePunctuation(cursor.text(), found);
      return;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (IsCloser(c) && depth > 0) {
      --depth;
    } else if (c == '&' || c == ';' || c == ',' || c == '|' || IsCloser(c)) {
      bool open = false;
      const bool ends = EndsBefore(cursor, open);
      if (open) {
        cursor.MarkOpen();
        return;
      }
      if (ends) return;
    }
    cursor.Skip(1);
  }
  found.value_end = cursor.at();
  found.cut = true;
}

bool HasWordOfSentence(std::string_view value) {
  constexpr std::array<std::string_view, 40> kWords = {
      "the",   "your",    "must",  "enter",  "is",      "a",        "an",        "for",   "to",      "and",
      "or",    "not",     "no",    "please", "with",    "at",       "of",        "in",    "be",      "has",
      "was",   "are",     "will",  "can",    "should",  "required", "invalid",   "wrong", "missing", "failed",
      "reset", "changed", "least", "too",    "expired", "here",     "incorrect", "this",  "does",    "do"};
  while (!value.empty()) {
    const std::size_t space = value.find(' ');
    const std::string_view word = value.substr(0, space);
    if (std::ranges::any_of(kWords, [word](std::string_view w) { return EqualsFolded(word, w); }))
      return true;
    if (space == std::string_view::npos) return false;
    value.remove_prefix(space + 1);
  }
  return false;
}

struct Census {
  std::size_t digits = 0;
  std::size_t upper = 0;
  std::size_t lower = 0;
  std::size_t other = 0;  // neither letter nor digit
  std::size_t plain = 0;  // of those: _ - .
  std::size_t spaces = 0;
  bool odd_case = false;  // capitals as no word and no name of a program has them
};

Census Count(std::string_view value) {
  Census census;
  for (const char c : value) {
    if (Is(c, kDigitChar)) {
      ++census.digits;
    } else if (Is(c, kUpperChar)) {
      ++census.upper;
    } else if (Is(c, kLowerChar)) {
      ++census.lower;
    } else {
      ++census.other;
      if (c == '_' || c == '-' || c == '.') ++census.plain;
      if (c == ' ') ++census.spaces;
    }
  }
  const bool ends_upper = !value.empty() && Is(value.back(), kUpperChar);
  census.odd_case = census.lower > 0 && census.upper > 0 && (ends_upper || census.upper >= 3);
  return census;
}

// Small letters mostly, in humps as long as words, one number at most: `Ed25519PrivateKey`, not what is
// random.
bool IsName(std::string_view part) {
  std::size_t humps = 0;
  std::size_t numbers = 0;
  char before = '_';
  for (const char c : part) {
    const bool letter = Is(c, kAlphaChars);
    if (!letter && !Is(c, kDigitChar) && c != '_') return false;
    if (letter && (!Is(before, kAlphaChars) || (Is(c, kUpperChar) && Is(before, kLowerChar)))) ++humps;
    if (Is(c, kDigitChar) && !Is(before, kDigitChar)) ++numbers;
    before = c;
  }
  const Census census = Count(part);
  const std::size_t letters = census.upper + census.lower;
  const bool one_case = census.upper == 0 || census.lower == 0;
  const bool words = letters >= 3 * humps && (one_case || 4 * census.lower >= 3 * letters);
  return letters > 0 && !Is(part[0], kDigitChar) && numbers <= 1 && (words || part.size() <= kShortName);
}

bool IsDottedName(std::string_view value) {
  std::size_t parts = 0;
  for (std::size_t end = 0; end != value.npos; ++parts) {
    end = std::min(value.find('.'), value.find("::"));
    if (!IsName(value.substr(0, end))) return false;
    if (end != value.npos) value.remove_prefix(end + (value[end] == '.' ? 1 : 2));
  }
  return parts > 1;
}

// A call, an index, an attribute: something that a program computes, not what it came to.
bool IsCode(std::string_view value) {
  if (!value.empty() && (value[0] == '(' || value[0] == '[' || value[0] == '{')) return true;
  if (IsDottedName(value)) return true;
  const std::size_t open = value.find_first_of("([{");
  if (open != std::string_view::npos && open > 0 && std::ranges::all_of(value.substr(0, open), [](char c) {
        return IsNameChar(c) || c == '.' || c == ':';
      })) {
    return true;
  }
  const Census census = Count(value);
  const std::size_t dot = value.find('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < value.size() && census.digits == 0 &&
         census.other == census.plain && Is(value[0], kAlphaChars);
}

// Where a value is kept, instead of the value.
bool IsReference(std::string_view value) {
  constexpr std::array<std::string_view, 12> kHeads = {"arn:", "http://", "https://", "projects/",
                                                       "env:", "vault:",  "file:",    "op://",
                                                       "aws:", "dotenv:", "ref+",     "secret:"};
  return std::ranges::any_of(
             kHeads,
             [value](std::string_view head) { return EqualsFolded(value.substr(0, head.size()), head); }) ||
         (value.starts_with('/') && value.find('/', 1) != std::string_view::npos &&
          value.find('=') == value.npos && Count(value).upper <= 2);
}

bool IsWordOfNoValue(std::string_view value) {
  constexpr std::array<std::string_view, 44> kWords = {
      "none",      "null",    "nil",     "true",    "false",     "undefined", "required", "optional",
      "string",    "str",     "bytes",   "text",    "hidden",    "password",  "passwd",   "token",
      "secret",    "empty",   "missing", "invalid", "incorrect", "expired",   "unknown",  "disabled",
      "enabled",   "default", "input",   "prompt",  "redacted",  "masked",    "filtered", "sensitive",
      "secretstr", "unset",   "not_set", "notset",  "n/a",       "nan",       "boolean",  "integer",
      "varchar",   "bearer",  "basic",   "api_key"};
  return std::ranges::any_of(kWords, [value](std::string_view w) { return EqualsFolded(value, w); });
}

std::string_view ValueOf(std::string_view text, const Assignment& found) {
  return text.substr(found.value_begin, found.value_end - found.value_begin);
}

}  // namespace

Assignment ReadAssignment(const KnownText& known, std::size_t at, std::size_t length, NameRest rest) {
  Assignment found;
  Cursor cursor(known, at + length);
  std::size_t more = 0;
  while (more < kNameMax && IsNameChar(cursor.Peek(more))) ++more;
  if (cursor.open()) {
    found.state = Match::State::kOpen;
    found.value_begin = cursor.at() + more;
    return found;
  }
  if (rest == NameRest::kNone && !IsHarmlessRest(known.text.substr(cursor.at(), more))) return found;
  cursor.Skip(more);
  const std::size_t name_begin = NameBegin(known.text, at);
  const std::string_view before = known.text.substr(name_begin, at - name_begin);
  if (SaysHarmless(before) || IsInsideResourceName(known.text, at)) return found;
  std::size_t backslashes = 0;
  const bool quoted_name = cursor.TakeQuote(backslashes) != '\0';
  if (cursor.Peek() == ']' || (cursor.Peek() == ')' && quoted_name)) cursor.Skip(1);
  const bool has_operator = TakeOperator(cursor, known, name_begin, quoted_name, found);
  if (cursor.open()) {
    found.state = Match::State::kOpen;
    found.value_begin = cursor.at();
    return found;
  }
  if (!has_operator) return found;
  cursor.SkipSpaces();
  // b'...', r"...", u'...', f"..."
  if (Is(cursor.Peek(), kLowerChar) && IsQuote(cursor.Peek(1))) cursor.Skip(1);
  backslashes = 0;
  const char quote = cursor.TakeQuote(backslashes);
  if (quote != '\0') {
    const Cursor inside = cursor;
    ReadQuoted(cursor, backslashes, quote, found);
    if (found.quote == '\0' && !cursor.open()) {
      cursor = inside;
      ReadBare(cursor, found);
    }
  } else {
    ReadBare(cursor, found);
  }
  found.state = cursor.open() ? Match::State::kOpen : Match::State::kFound;
  return found;
}

bool LooksLikePassword(std::string_view text, const Assignment& found) {
  const std::string_view value = ValueOf(text, found);
  if (value.size() < 4 || IsPlaceholder(value) || IsWordOfNoValue(value)) return false;
  const Census census = Count(value);
  const bool alphabetic = census.digits == 0 && census.other == census.plain;
  const bool mixed = census.digits > 0 && census.upper + census.lower > 0;
  if (found.by_comma) return mixed && census.spaces == 0;
  if (found.prose)
    return mixed || (census.odd_case && census.other == 0) ||
           (census.other > census.plain && census.spaces == 0 && !IsCode(value));
  if (found.quote != '\0') {
    if (IsReference(value)) return false;
    return census.spaces == 0 || (census.spaces <= 5 && value.size() <= 64 && !HasWordOfSentence(value));
  }
  if (IsReference(value)) return false;
  if (value[0] == '@' || IsCode(value)) return false;
  if (census.upper + census.lower + census.other == 0) return value.size() >= (found.tight ? 4U : 6U);
  if (!alphabetic) return true;
  if (census.odd_case && census.other == 0 && value.size() >= 8) return true;
  if (!found.tight || value.size() < 6 || census.other > 0) return false;
  const char next = found.value_end < text.size() ? text[found.value_end] : '\n';
  return next != ')' && next != ',';
}

bool LooksLikeSecret(std::string_view text, const Assignment& found) {
  const std::string_view value = ValueOf(text, found);
  if (value.size() < 8 || IsPlaceholder(value) || IsWordOfNoValue(value) || IsReference(value)) return false;
  if (IsCode(value)) return false;
  if (found.by_comma) return LooksRandom(value);
  // `--secret NAME=env:NAME` has an assignment of its own.
  const std::size_t equals = value.find('=');
  if (found.prose && equals != value.npos && value.find_first_not_of('=', equals) != value.npos &&
      std::ranges::all_of(value.substr(0, equals), IsNameChar)) {
    return false;
  }
  const Census census = Count(value);
  if (census.spaces > 0 || 2 * census.other > value.size()) return false;
  if (census.upper + census.lower == 0) return census.digits >= 16;
  if (census.digits > 0) {
    // A date or a time has letters too.
    const bool date = census.lower == 0 && census.upper <= 2 && value.find('T') != std::string_view::npos &&
                      value.find('-') != std::string_view::npos;
    return !date && Entropy(value) >= 2.5;
  }
  if (census.other > census.plain) return value.size() >= 10 && Entropy(value) >= 2.8;
  const bool words = census.odd_case && IsName(value);
  return value.size() >= 16 && census.other == 0 && !words && Entropy(value) >= 3.2;
}

bool IsPlaceholder(std::string_view value) {
  if (value.empty()) return true;
  const char first = value[0];
  const char second = value.size() > 1 ? value[1] : '\0';
  if ((first == '$' && (second == '{' || second == '(' || second == '_' || Is(second, kUpperChar))) ||
      (first == '{' && value.ends_with('}')) || (first == '<' && value.ends_with('>')) ||
      (first == '[' && value.ends_with(']')) ||
      (first == '%' && (second == 's' || second == '(' || second == 'd')) ||
      (first == '%' && value.ends_with('%'))) {
    return true;
  }
  const auto same = [value](std::string_view chars) { return value.find_first_not_of(chars) == value.npos; };
  if (same("xX-_") || same("*") || same(".") || same("0") || same("-") || same("#") || same("?")) return true;
  if (value.find("...") != value.npos && value.size() < 24) return true;
  if (value.find("****") != value.npos || value.find("{{") != value.npos || value.find("${") != value.npos)
    return true;
  constexpr std::array<std::string_view, 18> kParts = {
      "example",    "your_",    "your-",     "yourapi",   "yourpass",  "yourtoken",
      "yoursecret", "changeme", "change_me", "change-me", "placehold", "xxxx",
      "redacted",   "insert_",  "insert-",   "replace_",  "replace-",  "dummy"};
  const auto lower_equal = [](char a, char b) { return ToLower(a) == b; };
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return !std::ranges::search(value, part, lower_equal).empty(); });
}

bool LooksLikeCode(std::string_view value) {
  return IsCode(value) || (value.find('_') != value.npos && IsName(value));
}

bool LooksRandom(std::string_view value) {
  const Census census = Count(value);
  return value.size() >= 16 && census.digits > 0 && census.upper + census.lower > 0 && census.spaces == 0 &&
         Entropy(value) >= 3.0;
}

double Entropy(std::string_view value) {
  // log2 of small whole numbers is all that is needed: sum of -c/n log2(c/n).
  if (value.empty()) return 0;
  std::array<unsigned short, 256> counts{};
  for (const char c : value.substr(0, 4096)) ++counts[static_cast<unsigned char>(c)];
  const auto total = static_cast<double>(std::min<std::size_t>(value.size(), 4096));
  double bits = 0;
  for (const unsigned short count : counts) {
    if (count > 0) bits -= count / total * __builtin_log2(count / total);
  }
  return bits;
}

}  // namespace casemate
