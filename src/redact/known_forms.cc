#include <array>
#include <memory_resource>

#include "base/utf8.h"
#include "redact/known_values.h"
#include "redact/text_class.h"

namespace casemate {
namespace {

constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kUpperHex = "0123456789ABCDEF";

using Text = std::pmr::string;
using Memory = std::pmr::memory_resource*;

void AddHex(Text& text, std::string_view value, std::string_view digits, std::string_view before_each) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    text += before_each;
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
}

Text Hex(std::string_view value, std::string_view digits, std::string_view before_each, Memory memory) {
  Text text(memory);
  text.reserve(value.size() * (2 + before_each.size()));
  AddHex(text, value, digits, before_each);
  return text;
}

// What is certain of the base64 of any text that holds `value` after 3k + `before` bytes: characters that
// neighbours take part in are left out.
Text Base64(std::string_view value, std::size_t before, bool url, Memory memory) {
  const std::string_view alphabet = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                        : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Text text(memory);
  text.reserve(value.size() * 2);
  unsigned held = 0;
  unsigned bits = static_cast<unsigned>(before * 8);
  std::size_t place = 0;
  // The first character that is of `value` alone.
  const std::size_t first = (before * 8 + 5) / 6;
  while (bits >= 6) bits -= 6, ++place;
  for (const char c : value) {
    held = (held << 8U | static_cast<unsigned char>(c)) & 0xFFFFU;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      if (place++ >= first) text += alphabet[held >> bits & 63U];
    }
  }
  return text;
}

template <typename Keep>
Text Percent(std::string_view value, std::string_view digits, Memory memory, Keep keep) {
  Text text(memory);
  text.reserve(value.size() * 3);
  for (const char c : value) {
    if (keep(c)) {
      text += c;
    } else {
      AddHex(text, {&c, 1}, digits, "%");
    }
  }
  return text;
}

// JSON's \u00e9 without its backslash, which the search passes over.
Text JsonEscaped(std::string_view value, std::string_view digits, Memory memory) {
  Text text(memory);
  text.reserve(value.size() * 5);
  for (std::size_t i = 0; i < value.size();) {
    const std::size_t length = Utf8SequenceLength(value.substr(i));
    if (length <= 1) {
      const auto byte = static_cast<unsigned char>(value[i++]);
      if (byte >= 0x20 && byte != 0x7F && byte != '<' && byte != '>' && byte != '&') {
        text += static_cast<char>(byte);
      } else {
        text += "u00";
        AddHex(text, {value.data() + i - 1, 1}, digits, "");
      }
      continue;
    }
    std::uint32_t point = static_cast<unsigned char>(value[i]) & (0xFFU >> (length + 1));
    for (std::size_t j = 1; j < length; ++j)
      point = point << 6U | (static_cast<unsigned char>(value[i + j]) & 63U);
    i += length;
    const auto add = [&](std::uint32_t unit) {
      const std::array<char, 2> bytes{static_cast<char>(unit >> 8U), static_cast<char>(unit & 0xFFU)};
      text += 'u';
      AddHex(text, {bytes.data(), 2}, digits, "");
    };
    if (point >= 0x10000) {
      add(0xD800 + ((point - 0x10000) >> 10U));
      add(0xDC00 + ((point - 0x10000) & 0x3FFU));
    } else {
      add(point);
    }
  }
  return text;
}

Text HtmlEscaped(std::string_view value, Memory memory) {
  Text text(memory);
  text.reserve(value.size() * 6);
  for (const char c : value) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      case '"':
        text += "&quot;";
        break;
      case '\'':
        text += "&#x27;";
        break;
      default:
        text += c;
    }
  }
  return text;
}

}  // namespace

std::pmr::vector<std::pmr::string> FormsOf(std::string_view value, std::pmr::memory_resource* memory) {
  std::pmr::vector<Text> forms(memory);
  forms.emplace_back(value);
  forms.emplace_back(value.rbegin(), value.rend());
  for (const std::string_view digits : {kLowerHex, kUpperHex}) {
    forms.push_back(Hex(value, digits, "", memory));
    forms.push_back(Hex(value, digits, "x", memory));
    forms.push_back(Hex(value, digits, "0x", memory));
    forms.push_back(Hex(value, digits, "%", memory));
    const auto unreserved = [](char c) {
      return Is(c, kAlnumChars) || c == '-' || c == '_' || c == '.' || c == '~';
    };
    forms.push_back(Percent(value, digits, memory, unreserved));
    forms.push_back(Percent(value, digits, memory, [&](char c) { return unreserved(c) || c == '/'; }));
    forms.push_back(Percent(value, digits, memory, [&](char c) { return unreserved(c) || c == ' '; }));
    forms.push_back(Percent(value, digits, memory, [&](char c) {
      return unreserved(c) || c == '!' || c == '*' || c == '\'' || c == '(' || c == ')';
    }));
    forms.push_back(JsonEscaped(value, digits, memory));
  }
  forms.push_back(HtmlEscaped(value, memory));
  for (std::size_t before = 0; before < 3; ++before) {
    forms.push_back(Base64(value, before, false, memory));
    forms.push_back(Base64(value, before, true, memory));
  }
  return forms;
}

}  // namespace casemate
