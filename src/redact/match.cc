#include "redact/match.h"

#include <algorithm>

#include "redact/text_class.h"

namespace casemate {
namespace {

constexpr std::string_view kPemEnd = "-----END ";
constexpr std::size_t kPemEndMax = 80;

bool IsTokenTail(char c) {
  return Is(c, kAlnumChars) || c == '+' || c == '/' || c == '=' || c == '_' || c == '-' || c == '.' ||
         c == '~';
}

SwallowEnd UntilQuote(const KnownText& known, std::size_t from, char quote) {
  for (std::size_t i = from; i < known.size(); ++i) {
    if (known[i] == quote || known[i] == '\n') return {i, true};
  }
  return {known.size(), known.final};
}

// Where an indented line, a quoted one or the next one of a source may go on.
bool IsBetweenLines(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  const char before = text[at - 1];
  return before == '\n' || before == '\r' || before == ' ' || before == '\t' || before == '"' ||
         before == '\'' || before == '+' || before == ',' ||
         (at > 1 && (before == 'n' || before == 'r') && text[at - 2] == '\\');
}

SwallowEnd UntilPemEnd(const KnownText& known, std::size_t from) {
  const std::string_view text = known.text;
  for (std::size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (Is(c, kBase64Char) || c == '\n' || c == '\r' || c == '\\' || c == '"' || c == '\'' || c == ',')
      continue;
    if (Is(c, kSpaceChar) && IsBetweenLines(text, i)) continue;
    if (c != '-') return {i, true};
    const std::string_view rest = text.substr(i, kPemEndMax);
    const std::string_view head = rest.substr(0, kPemEnd.size());
    if (!kPemEnd.starts_with(head)) return {i, true};
    const std::size_t close = rest.find("-----", kPemEnd.size());
    if (close != std::string_view::npos) return {i + close + 5, true};
    if (rest.size() < kPemEndMax && !known.final) return {i, false};
    return {i, true};
  }
  return {text.size(), known.final};
}

}  // namespace

SwallowEnd FindSwallowEnd(const KnownText& known, std::size_t from, Swallow swallow) {
  switch (swallow) {
    case Swallow::kNothing:
      return {from, true};
    case Swallow::kToken: {
      std::size_t i = from;
      while (i < known.size() && IsTokenTail(known[i])) ++i;
      return {i, i < known.size() || known.final};
    }
    case Swallow::kDouble:
      return UntilQuote(known, from, '"');
    case Swallow::kSingle:
      return UntilQuote(known, from, '\'');
    case Swallow::kBacktick:
      return UntilQuote(known, from, '`');
    case Swallow::kPem:
      return UntilPemEnd(known, from);
  }
  return {from, true};
}

}  // namespace casemate
