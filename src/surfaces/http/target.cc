#include "surfaces/http/target.h"

#include <algorithm>

namespace casemate::http {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameInAnyCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before the next `separator`, and that one.
std::string_view TakeUntil(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

}  // namespace

std::optional<std::string> DecodePercent(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      byte = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (byte == '\0') return std::nullopt;
    decoded += byte;
  }
  return decoded;
}

std::optional<Parameters> ParseQuery(std::string_view query) {
  Parameters parameters;
  while (!query.empty()) {
    const std::string_view part = TakeUntil(query, '&');
    if (part.empty()) continue;
    std::string spaced(part);
    std::ranges::replace(spaced, '+', ' ');
    std::string_view value = spaced;
    const std::string_view name = TakeUntil(value, '=');
    auto decoded_name = DecodePercent(name);
    auto decoded_value = DecodePercent(value);
    if (!decoded_name || !decoded_value) return std::nullopt;
    parameters.emplace_back(*std::move(decoded_name), *std::move(decoded_value));
  }
  return parameters;
}

std::optional<std::vector<std::string>> MatchPath(std::string_view pattern, std::string_view path) {
  std::vector<std::string> params;
  for (;;) {
    const std::size_t name = pattern.find('{');
    const std::string_view literal = pattern.substr(0, name);
    if (!path.starts_with(literal)) return std::nullopt;
    path.remove_prefix(literal.size());
    if (name == std::string_view::npos) {
      if (!path.empty()) return std::nullopt;
      return params;
    }
    pattern.remove_prefix(name);
    const std::size_t name_end = pattern.find('}') + 1;
    const bool rest = pattern.substr(0, name_end).ends_with("...}");
    const std::string_view taken = path.substr(0, rest ? path.size() : path.find('/'));
    auto decoded = DecodePercent(taken);
    if (!decoded || (!rest && (decoded->empty() || decoded->find('/') != std::string::npos))) return {};
    params.push_back(*std::move(decoded));
    path.remove_prefix(taken.size());
    pattern.remove_prefix(name_end);
  }
}

std::string_view BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (!SameInAnyCase(authorization.substr(0, kScheme.size()), kScheme)) return "";
  return Trim(authorization.substr(kScheme.size()));
}

bool ListHasToken(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    if (SameInAnyCase(Trim(TakeUntil(list, ',')), token)) return true;
  }
  return false;
}

}  // namespace casemate::http
