#include "redact/finders.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

#include "redact/assignment.h"
#include "redact/text_class.h"
#include "redact/validators.h"

namespace casemate {
namespace {

constexpr std::size_t kUrlMax = 512;
constexpr std::size_t kPemHeadMax = 80;
constexpr std::size_t kPemSearchMax = 600;
constexpr std::size_t kPemRun = 16;
constexpr std::string_view kPuttyHead = "Private-Lines: ";
constexpr std::size_t kLocalMax = 64;  // RFC 5321
constexpr std::size_t kDomainMax = 255;

bool EndsUrl(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\'' || c == '`' || c == '<' || c == '>' ||
         c == '\\' || c == '|' || c == '^';
}

bool IsTemplate(std::string_view value) {
  return value.empty() || value.find_first_of("{}<>$*") != value.npos || value.starts_with('%') ||
         value.find_first_not_of("xX.") == value.npos;
}

// The last "@" that ends the user and password of an authority, or npos.
std::size_t FindAt(std::string_view url) {
  const std::size_t path = std::min(url.find_first_of("/?#"), url.size());
  const std::size_t at = url.substr(0, path).rfind('@');
  if (at != url.npos || path == url.size()) return at;
  // A password with a slash in it, against the rules: what follows the colon is no port.
  const std::size_t colon = url.substr(0, path).find(':');
  if (colon == url.npos) return url.npos;
  const std::string_view port = url.substr(colon + 1, path - colon - 1);
  if (port.find_first_not_of("0123456789") == port.npos) return url.npos;
  return url.rfind('@');
}

bool IsFileName(std::string_view domain) {
  constexpr std::array<std::string_view, 14> kEndings = {"png", "jpg", "jpeg", "gif", "svg",  "webp", "js",
                                                         "css", "py",  "cc",   "rs",  "html", "json", "ico"};
  const std::string_view ending = domain.substr(domain.rfind('.') + 1);
  return std::ranges::find(kEndings, ending) != kEndings.end();
}

}  // namespace

bool MayBegin(std::string_view text, std::size_t at) {
  if (at == 0 || !Is(text[at - 1], kAlnumChars)) return true;
  const char before = text[at - 1];
  const auto back = [text, at](std::size_t count) { return at >= count ? text[at - count] : ' '; };
  if (back(2) == '\\' && std::string_view("nrtbfv0").find(before) != std::string_view::npos) return true;
  if (Is(before, kHexChar) && Is(back(2), kHexChar) &&
      (back(3) == '%' || (back(3) == 'x' && back(4) == '\\')))
    return true;
  if (Is(before, kHexChar) && back(5) == 'u' && back(6) == '\\') return true;
  if (before != 'm') return false;
  std::size_t count = 2;
  while (count < 12 && (Is(back(count), kDigitChar) || back(count) == ';')) ++count;
  return back(count) == '[';
}

Match FindUrlPassword(const KnownText& known, std::size_t at) {
  std::size_t end = at + 3;
  const std::size_t bound = std::min(known.size(), at + kUrlMax);
  while (end < bound && !EndsUrl(known[end])) ++end;
  if (end == known.size() && end < at + kUrlMax && !known.final) return Match::Open(at + 3);
  const std::string_view url = known.text.substr(at + 3, end - at - 3);
  const std::size_t sign = FindAt(url);
  if (sign == url.npos || sign == 0) return Match::None();
  const std::string_view user = url.substr(0, sign);
  const std::size_t colon = user.find(':');
  if (colon == user.npos) {
    if (!LooksRandom(user) || IsPlaceholder(user)) return Match::None();
    return Match::Found(at + 3, at + 3 + sign);
  }
  const std::string_view password = user.substr(colon + 1);
  if (IsTemplate(password) &&
      !(password.size() >= 8 && password.find_first_of("{}<>") == password.npos && Entropy(password) > 2.5)) {
    return Match::None();
  }
  return Match::Found(at + 3 + colon + 1, at + 3 + sign);
}

namespace {

// From the first line of key at or after `from`, which may be lines away, to the end of the block.
Match FindKeyLines(const KnownText& known, std::size_t at, std::size_t from) {
  std::size_t run = 0;
  std::size_t i = from;
  const std::size_t bound = i + kPemSearchMax;
  for (; i < std::min(known.size(), bound); ++i) {
    const char c = known[i];
    run = Is(c, kBase64Char) ? run + 1 : 0;
    if (run == kPemRun) break;
    const bool fits = Is(c, kBase64Char) || c == '\n' || c == '\r' || c == '\\' || c == '"' || c == '\'' ||
                      c == ' ' || c == '\t' || c == ':' || c == ',' || c == '-' || c == '.' || c == '(' ||
                      c == ')' || c == '@';
    if (!fits || (c == '-' && known.text.substr(i).starts_with("-----"))) return Match::None();
  }
  if (i == bound) return Match::None();
  if (run < kPemRun) return known.final ? Match::None() : Match::Open(at);
  return Match::Found(at, i + 1, Swallow::kPem);
}

// The number of lines, and then the lines.
Match FindPuttyLines(const KnownText& known, std::size_t at) {
  std::size_t i = at + kPuttyHead.size();
  const std::size_t bound = i + 4;
  while (i < std::min(known.size(), bound) && Is(known[i], kDigitChar)) ++i;
  if (known.Unknown(i)) return Match::Open(at);
  if (i >= known.size() || i == at + kPuttyHead.size()) return Match::None();
  if (known[i] != '\n' && known[i] != '\r' && known[i] != '\\') return Match::None();
  return FindKeyLines(known, at, i);
}

}  // namespace

Match FindPem(const KnownText& known, std::size_t at) {
  if (known[at] != '-') return FindPuttyLines(known, at);
  const std::string_view head = known.text.substr(at, kPemHeadMax);
  const std::size_t dashes = head.find_first_not_of('-');
  if (dashes == head.npos) return known.Unknown(at + kPemHeadMax) ? Match::Open(at) : Match::None();
  const std::size_t close = head.find("----", dashes);
  const std::string_view label = head.substr(0, std::min(close, head.size()));
  const bool plain = std::ranges::all_of(
      label.substr(dashes), [](char c) { return Is(c, kUpperChar | kDigitChar) || c == ' ' || c == '-'; });
  if (!plain) return Match::None();
  if (close == head.npos) return head.size() < kPemHeadMax && !known.final ? Match::Open(at) : Match::None();
  if (label.find("PRIVATE KEY") == label.npos) return Match::None();
  // Past the lines that say how it is made, to the first that is key.
  std::size_t i = at + close;
  while (i < known.size() && known[i] == '-') ++i;
  return FindKeyLines(known, at, i);
}

Match FindEmail(const KnownText& known, std::size_t at) {
  const std::string_view text = known.text;
  std::size_t begin = at;
  while (begin > 0 && at - begin <= kLocalMax && Is(text[begin - 1], kEmailChar)) --begin;
  if (begin == at || at - begin > kLocalMax) return Match::None();
  while (text[begin] == '.' || text[begin] == '-' || text[begin] == '%') {
    if (++begin == at) return Match::None();
  }
  std::size_t end = at + 1;
  while (end < text.size() && end - at <= kDomainMax &&
         (Is(text[end], kAlnumChars) || text[end] == '.' || text[end] == '-')) {
    ++end;
  }
  if (end - at > kDomainMax) return Match::None();
  if (end == text.size() && !known.final) return Match::Open(begin);
  std::string_view domain = text.substr(at + 1, end - at - 1);
  while (domain.ends_with('.') || domain.ends_with('-')) domain.remove_suffix(1);
  const std::size_t dot = domain.rfind('.');
  if (dot == domain.npos || dot == 0 || domain.find("..") != domain.npos || domain.size() - dot < 3)
    return Match::None();
  if (!std::ranges::all_of(domain.substr(dot + 1), [](char c) { return Is(c, kAlphaChars); }))
    return Match::None();
  if (IsFileName(domain)) return Match::None();
  // git@host:path is an address of a repository.
  if (text.substr(begin, at - begin) == "git" && end < text.size() && text[end] == ':') return Match::None();
  return Match::Found(begin, at + 1 + domain.size());
}

Match FindIpv6(const KnownText& known, std::size_t at) {
  if (at > 0 && (Is(known[at - 1], kAlnumChars) || known[at - 1] == ':' || known[at - 1] == '.'))
    return Match::None();
  std::size_t end = at;
  const std::size_t bound = std::min(known.size(), at + INET6_ADDRSTRLEN);
  while (end < bound && (Is(known[end], kHexChar) || known[end] == ':')) ++end;
  const std::string_view head = known.text.substr(at, 5);
  if (head.size() == 5 && head[4] != ':') return Match::None();
  if (end == known.size() && !known.final && end < at + INET6_ADDRSTRLEN) return Match::Open(at);
  if (end < known.size() && Is(known[end], kAlnumChars)) return Match::None();
  std::string address(known.text.substr(at, end - at));
  if (address.ends_with(':') && !address.ends_with("::")) address.pop_back();
  in6_addr parsed{};
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return Match::None();
  return Match::Found(at, at + address.size());
}

}  // namespace casemate
