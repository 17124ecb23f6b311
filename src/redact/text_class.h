#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace casemate {

// ASCII classes by one table look-up; bytes above 127 are in none.
enum CharClass : unsigned char {
  kDigitChar = 1,
  kUpperChar = 2,
  kLowerChar = 4,
  kHexChar = 8,
  kTokenChar = 16,  // may be inside a token: no space, quote, bracket, comma, semicolon, backslash
  kEmailChar = 32,  // may be in the local part of an address
  kBase64Char = 64,
  kSpaceChar = 128,  // space and tab
};

consteval std::array<unsigned char, 256> MakeCharClasses() {
  std::array<unsigned char, 256> classes{};
  const auto add = [&classes](std::string_view chars, unsigned char bits) {
    for (const char c : chars) classes[static_cast<unsigned char>(c)] |= bits;
  };
  add("0123456789", kDigitChar | kHexChar | kTokenChar | kEmailChar | kBase64Char);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", kUpperChar | kTokenChar | kEmailChar | kBase64Char);
  add("abcdefghijklmnopqrstuvwxyz", kLowerChar | kTokenChar | kEmailChar | kBase64Char);
  add("abcdefABCDEF", kHexChar);
  add("_-.+/=~:@%$!*#?&", kTokenChar);
  add("._%+-", kEmailChar);
  add("+/=", kBase64Char);
  add(" \t", kSpaceChar);
  return classes;
}
inline constexpr std::array<unsigned char, 256> kCharClasses = MakeCharClasses();

inline bool Is(char c, unsigned classes) {
  return (kCharClasses[static_cast<unsigned char>(c)] & classes) != 0;
}
inline constexpr unsigned kAlphaChars = kUpperChar | kLowerChar;
inline constexpr unsigned kAlnumChars = kAlphaChars | kDigitChar;

inline char ToLower(char c) { return Is(c, kUpperChar) ? static_cast<char>(c | 0x20) : c; }

}  // namespace casemate
