#include "policy/checks/source_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/utf8.h"
#include "policy/checks/rules.h"

namespace casemate {
namespace {

constexpr std::size_t kSnippetBytesMax = 120;

// A carriage return ends a line for Python, and would not for the grammar.
std::string WithPlainLineEnds(std::string_view bytes) {
  std::string text(bytes);
  for (std::size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at + 1)) {
    text[at] = at + 1 < text.size() && text[at + 1] == '\n' ? ' ' : '\n';
  }
  return text;
}

std::vector<std::uint32_t> LineBegins(std::string_view text) {
  std::vector<std::uint32_t> begins = {0};
  begins.reserve(text.size() / 32 + 1);
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    begins.push_back(static_cast<std::uint32_t>(at + 1));
  }
  return begins;
}

// The name in a comment such as "# -*- coding: NAME -*-" (PEP 263); "" when the line has none.
std::string_view DeclaredEncoding(std::string_view line) {
  const std::size_t hash = line.find_first_not_of(" \t\f");
  if (hash == std::string_view::npos || line[hash] != '#') return {};
  for (std::size_t at = line.find("coding", hash); at != std::string_view::npos;
       at = line.find("coding", at + 1)) {
    const std::string_view rest = line.substr(at + 6);
    if (rest.empty() || (rest[0] != ':' && rest[0] != '=')) continue;
    const std::size_t begin = rest.find_first_not_of(" \t", 1);
    if (begin == std::string_view::npos) continue;
    const std::string_view name = rest.substr(begin);
    const std::size_t end =
        name.find_first_not_of("-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (end != 0) return name.substr(0, end);
  }
  return {};
}

bool IsPlainEncoding(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) c = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  constexpr std::array<std::string_view, 5> kPlain = {"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"};
  return std::ranges::find(kPlain, plain) != kPlain.end();
}

std::optional<Finding> CheckEncoding(std::string_view text) {
  const std::string_view first = text.substr(0, text.find('\n'));
  std::string_view name = DeclaredEncoding(first);
  const std::size_t begin = first.find_first_not_of(" \t\f\r");
  const bool second_counts = begin == std::string_view::npos || first[begin] == '#';
  if (name.empty() && second_counts && first.size() < text.size()) {
    const std::string_view rest = text.substr(first.size() + 1);
    name = DeclaredEncoding(rest.substr(0, rest.find('\n')));
  }
  if (name.empty() || IsPlainEncoding(name)) return std::nullopt;
  return MakeFinding("encoding", name);
}

// Where a string literal that begins at `at` (its quote) ends; at most the end of the text.
std::size_t SkipString(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool triple = at + 2 < text.size() && text[at + 1] == quote && text[at + 2] == quote;
  for (at += triple ? 3 : 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (!triple && (text[at] == quote || text[at] == '\n')) {
      return at + 1;
    } else if (triple && text[at] == quote && text.substr(at, 3) == std::string(3, quote)) {
      return at + 3;
    }
  }
  return text.size();
}

// The first bracket that is nested too deep; npos when there is none.
std::size_t FindTooDeep(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '(':
      case '[':
      case '{':
        if (++depth > kBracketDepthMax) return at;
        break;
      case ')':
      case ']':
      case '}':
        depth = std::max(depth - 1, 0);
        break;
      case '#':
        at = std::min(text.find('\n', at), text.size());
        continue;
      case '"':
      case '\'':
        at = SkipString(text, at);
        continue;
      default:
        break;
    }
    ++at;
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<Finding> SourceText::Read(std::string_view bytes, SourceText& text) {
  if (bytes.size() > kSourceBytesMax) {
    return MakeFinding("too-large", fmt::format("{} bytes of {}", bytes.size(), kSourceBytesMax));
  }
  if (!IsValidUtf8(bytes)) return MakeFinding("syntax-error", "the text is not UTF-8");
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  text.text_ = WithPlainLineEnds(bytes);
  text.lines_ = LineBegins(text.text_);
  if (const std::size_t nul = text.text_.find('\0'); nul != std::string::npos) {
    Finding finding = MakeFinding("syntax-error", "the text has a NUL byte");
    text.Place(nul, finding);
    return finding;
  }
  if (auto encoding = CheckEncoding(text.text_)) return encoding;
  if (const std::size_t deep = FindTooDeep(text.text_); deep != std::string_view::npos) {
    Finding finding = MakeFinding("too-deep", fmt::format("more than {} brackets", kBracketDepthMax));
    text.Place(deep, finding);
    return finding;
  }
  return std::nullopt;
}

void SourceText::Place(std::size_t offset, Finding& finding) const {
  const std::string_view all = text_;
  offset = std::min(offset, all.size());
  const auto next = std::ranges::upper_bound(lines_, offset);
  const std::size_t begin = *std::prev(next);
  finding.line = next - lines_.begin();
  finding.column = static_cast<std::int64_t>(offset - begin) + 1;
  std::string_view line = all.substr(begin, all.find('\n', begin) - begin);
  // A long line is shown around the place.
  if (line.size() > kSnippetBytesMax && offset - begin > kSnippetBytesMax / 2) {
    line.remove_prefix(offset - begin - kSnippetBytesMax / 2);
  }
  line = line.substr(0, kSnippetBytesMax);
  while (!line.empty() && !IsValidUtf8(line) && (line.front() & 0xC0) == 0x80) line.remove_prefix(1);
  while (!line.empty() && !IsValidUtf8(line)) line.remove_suffix(1);
  const std::size_t ink = line.find_first_not_of(" \t\f");
  finding.snippet = ink == std::string_view::npos ? "" : line.substr(ink);
}

}  // namespace casemate
