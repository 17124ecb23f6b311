// Theory of operation. The pattern is a small non-deterministic automaton: one state a token, and matching
// keeps the set of states that are possible after each character. There is no backtracking to explode.
#include "policy/glob.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace casemate {
namespace {

constexpr std::size_t kPatternBytesMax = 4096;
// Where a byte is not UTF-8 it stands for itself, above all of Unicode.
constexpr char32_t kRawByte = 0x110000;

std::vector<char32_t> Characters(std::string_view text) {
  std::vector<char32_t> characters;
  characters.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = Utf8SequenceLength(text);
    const auto lead = static_cast<unsigned char>(text.front());
    if (size == 0) {
      characters.push_back(kRawByte + lead);
      text.remove_prefix(1);
      continue;
    }
    char32_t c = size == 1 ? lead : static_cast<char32_t>(lead & (0xff >> (size + 1)));
    for (std::size_t i = 1; i < size; ++i) c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
    characters.push_back(c);
    text.remove_prefix(size);
  }
  return characters;
}

bool HasParentFolder(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") || path.contains("/../");
}

std::unexpected<Error> Refuse(std::string_view pattern, std::string_view why) {
  return Fail(ErrorCode::kInvalidRequest, fmt::format("The pattern \"{}\" {}.", pattern, why));
}

}  // namespace

Expected<Glob> Glob::Parse(std::string_view pattern) {
  if (pattern.empty()) return Refuse(pattern, "is empty; write ** for everything");
  if (pattern.size() > kPatternBytesMax) {
    return Refuse(pattern.substr(0, 32),
                  fmt::format("and so on is longer than {} bytes; shorten it", kPatternBytesMax));
  }
  if (pattern.starts_with('/'))
    return Refuse(pattern, "starts with \"/\"; write it relative to the workspace");
  if (HasParentFolder(pattern)) return Refuse(pattern, "leaves the workspace with \"..\"; leave that out");

  Glob glob;
  glob.text_ = pattern;
  while (pattern.starts_with("./")) pattern.remove_prefix(2);
  std::vector<char32_t> text = Characters(pattern);
  if (!text.empty() && text.back() == U'/') text.insert(text.end(), {U'*', U'*'});
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at];
    if (c == U'*') {
      const bool starts_name = at == 0 || text[at - 1] == U'/';
      std::size_t end = at;
      while (end < text.size() && text[end] == U'*') ++end;
      const bool folders = starts_name && end - at == 2;
      if (folders && end == text.size()) {
        glob.tokens_.push_back({.kind = Token::Kind::kRest});
      } else if (folders && text[end] == U'/') {
        glob.tokens_.push_back({.kind = Token::Kind::kFolders});
        ++end;
      } else {
        glob.tokens_.push_back({.kind = Token::Kind::kStar});
      }
      at = end - 1;
    } else if (c == U'?') {
      glob.tokens_.push_back({.kind = Token::Kind::kAnyOne});
    } else if (c == U'[') {
      if (auto parsed = glob.ParseClass(text, at); !parsed) return std::unexpected(std::move(parsed.error()));
    } else {
      if (c == U'\\' && ++at == text.size())
        return Refuse(pattern, "ends with \"\\\"; write \"\\\\\" for the character");
      glob.tokens_.push_back({.kind = Token::Kind::kLiteral, .literal = text[at]});
    }
  }
  return glob;
}

// From "[" at `at` to its "]", where it leaves `at`. A "]" that comes first is a member.
Expected<void> Glob::ParseClass(const std::vector<char32_t>& pattern, std::size_t& at) {
  Token token{.kind = Token::Kind::kClass};
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == U'!' || pattern[i] == U'^')) {
    token.negated = true;
    ++i;
  }
  const auto member = [&]() -> char32_t {
    if (pattern[i] == U'\\' && i + 1 < pattern.size()) ++i;
    return pattern[i++];
  };
  for (const std::size_t first = i; i < pattern.size() && (pattern[i] != U']' || i == first);) {
    const char32_t low = member();
    char32_t high = low;
    if (i + 1 < pattern.size() && pattern[i] == U'-' && pattern[i + 1] != U']') {
      ++i;
      high = member();
    }
    if (high < low) return Refuse(text_, "has a range whose end is before its start; swap them");
    token.ranges.push_back({low, high});
  }
  if (i >= pattern.size())
    return Refuse(text_, "has a \"[\" without its \"]\"; write \"\\[\" for the character");
  at = i;
  tokens_.push_back(std::move(token));
  return {};
}

// Adds `state` and all that can be reached from it without a character.
void Glob::Activate(std::vector<bool>& states, std::size_t state) const {
  while (!states[state]) {
    states[state] = true;
    if (state == tokens_.size()) return;
    const Token::Kind kind = tokens_[state].kind;
    if (kind != Token::Kind::kStar && kind != Token::Kind::kFolders && kind != Token::Kind::kRest) return;
    ++state;
  }
}

bool Glob::TakesOne(const Token& token, char32_t c) {
  if (token.kind == Token::Kind::kLiteral) return c == token.literal;
  if (c == U'/') return false;
  if (token.kind == Token::Kind::kAnyOne) return true;
  return std::any_of(token.ranges.begin(), token.ranges.end(),
                     [c](Range range) { return range.first <= c && c <= range.last; }) != token.negated;
}

void Glob::Step(std::vector<bool>& next, std::size_t state, char32_t c) const {
  const Token& token = tokens_[state];
  switch (token.kind) {
    case Token::Kind::kLiteral:
    case Token::Kind::kAnyOne:
    case Token::Kind::kClass:
      if (TakesOne(token, c)) Activate(next, state + 1);
      return;
    case Token::Kind::kStar:
      if (c != U'/') Activate(next, state);
      return;
    case Token::Kind::kRest:
      Activate(next, state);
      return;
    case Token::Kind::kFolders:
      // Inside a folder's name nothing may follow; after its "/" the rest of the pattern may start.
      if (c == U'/') {
        Activate(next, state);
      } else {
        next[state] = true;
      }
      return;
  }
}

bool Glob::Matches(std::string_view relative_path) const {
  std::vector<bool> states(tokens_.size() + 1), next(tokens_.size() + 1);
  Activate(states, 0);
  for (const char32_t c : Characters(relative_path)) {
    std::fill(next.begin(), next.end(), false);
    for (std::size_t state = 0; state < tokens_.size(); ++state) {
      if (states[state]) Step(next, state, c);
    }
    states.swap(next);
  }
  return states[tokens_.size()];
}

}  // namespace casemate
