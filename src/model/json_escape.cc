#include "model/json_escape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace casemate {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

constexpr bool NeedsEscape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0; c < 0x80; ++c) plain[static_cast<std::size_t>(c)] = !NeedsEscape(static_cast<char>(c));
  return plain;
}();

// Whether each of eight bytes is ASCII that stands for itself.
bool EightArePlain(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHigh = 0x80 * kOnes;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  // Where x has a byte of zero, (x - kOnes) & ~x has the high bit.
  const std::uint64_t quote = word ^ ('"' * kOnes);
  const std::uint64_t backslash = word ^ ('\\' * kOnes);
  const std::uint64_t special = (word | ((word - 0x20 * kOnes) & ~word) | ((quote - kOnes) & ~quote) |
                                 ((backslash - kOnes) & ~backslash)) &
                                kHigh;
  return special == 0;
}

// Nearly every text of a result: names, numbers, English.
bool IsPlain(std::string_view bytes) {
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    if (!EightArePlain(bytes.data() + at)) return false;
  }
  for (; at < bytes.size(); ++at) {
    if (!kPlain[static_cast<unsigned char>(bytes[at])]) return false;
  }
  return true;
}

void AppendEscape(std::string& out, char c) {
  out += '\\';
  switch (c) {
    case '"':
    case '\\':
      out += c;
      return;
    case '\b':
      out += 'b';
      return;
    case '\f':
      out += 'f';
      return;
    case '\n':
      out += 'n';
      return;
    case '\r':
      out += 'r';
      return;
    case '\t':
      out += 't';
      return;
    default:
      out += "u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

void AppendJsonEscaped(std::string& out, std::string_view bytes) {
  std::size_t plain = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    while (i + 8 < bytes.size() && EightArePlain(bytes.data() + i)) i += 8;
    if (!NeedsEscape(bytes[i])) continue;
    out.append(bytes, plain, i - plain);
    AppendEscape(out, bytes[i]);
    plain = i + 1;
  }
  out.append(bytes, plain);
}

void AppendJsonString(std::string& out, std::string_view bytes, std::string_view before,
                      std::string_view after) {
  if (IsPlain(bytes)) {
    // In one go: a result has some two hundred of them.
    const std::size_t start = out.size();
    const std::size_t end = start + before.size() + bytes.size() + after.size() + 2;
    out.resize_and_overwrite(end, [&](char* all, std::size_t /*room*/) {
      char* to = std::copy(before.begin(), before.end(), all + start);
      *to++ = '"';
      to = std::copy(bytes.begin(), bytes.end(), to);
      *to++ = '"';
      std::copy(after.begin(), after.end(), to);
      return end;
    });
    return;
  }
  out += before;
  out += '"';
  if (IsValidUtf8(bytes)) {
    AppendJsonEscaped(out, bytes);
  } else {
    AppendJsonEscaped(out, ReplaceInvalidUtf8(bytes));
  }
  out += '"';
  out += after;
}

}  // namespace casemate
