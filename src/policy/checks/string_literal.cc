#include "policy/checks/string_literal.h"

#include <charconv>
#include <cstdint>

namespace casemate {
namespace {

void AppendUtf8(std::uint32_t point, std::string& text) {
  const auto put = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18 & 0x07));
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

}  // namespace

bool AppendEscape(std::string_view escape, std::string& text) {
  if (escape.size() < 2) {
    text += escape;
    return true;
  }
  const char mark = escape[1];
  if (mark == 'N') return false;
  if (mark == '\n') return true;
  const bool octal = mark >= '0' && mark <= '7';
  if (octal || mark == 'x' || mark == 'u' || mark == 'U') {
    const std::string_view digits = escape.substr(octal ? 1 : 2);
    std::uint32_t point = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), point, octal ? 8 : 16);
    AppendUtf8(point, text);
    return true;
  }
  constexpr std::string_view kMarks = "abfnrtv\\'\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  const std::size_t known = kMarks.find(mark);
  if (known != std::string_view::npos) {
    text += kMeanings[known];
  } else {
    text += escape;
  }
  return true;
}

}  // namespace casemate
