#include "surfaces/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdlib>

#include "base/utf8.h"

namespace casemate {
namespace {

struct CodePoint {
  std::uint32_t value;
  std::size_t size;
};

// `text` is valid UTF-8 and not empty.
CodePoint Decode(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  std::uint32_t value = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size && i < text.size(); ++i) value = (value << 6) | (byte(i) & 0x3FU);
  return {value, size};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
  std::string_view reason;
};
constexpr std::array kHarmful = {
    Range{0x00, 0x1F, "C0 controls: escape sequences, line breaks"},
    Range{0x7F, 0x9F, "delete and the C1 controls: escape sequences of one byte"},
    Range{0x061C, 0x061C, "reorders text"},
    Range{0x200B, 0x200F, "invisible or reorders text"},
    Range{0x2028, 0x202E, "line breaks, reorders text"},
    Range{0x2060, 0x2069, "invisible or reorders text"},
    Range{0xFEFF, 0xFEFF, "invisible"},
    Range{0xE0000, 0xE007F, "invisible tags"},
};

std::string Escape(std::uint32_t value) {
  switch (value) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (value < 0x100) return fmt::format("\\x{:02x}", value);
  return value < 0x10000 ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
}

constexpr std::string_view CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return "31";
    case Colour::kYellow:
      return "33";
    case Colour::kGreen:
      return "32";
    case Colour::kDim:
      return "2";
    case Colour::kBold:
      return "1";
  }
  return "0";
}

}  // namespace

std::string EscapeForTerminal(std::string_view text) {
  const std::string valid = ReplaceInvalidUtf8(text);
  std::string out;
  for (std::string_view rest = valid; !rest.empty();) {
    const CodePoint point = Decode(rest);
    bool harmful = false;
    for (const Range& range : kHarmful) harmful |= point.value >= range.first && point.value <= range.last;
    if (harmful) {
      out += Escape(point.value);
    } else {
      out += rest.substr(0, point.size);
    }
    rest.remove_prefix(std::min(point.size, rest.size()));
  }
  return out;
}

std::string Shorten(const std::string& text, std::size_t columns) {
  std::size_t count = 0;
  std::size_t last_fit = 0;  // bytes of the first columns - 1 characters
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80) continue;
    if (count + 1 == columns) last_fit = i;
    if (++count > columns) return text.substr(0, last_fit) + "…";
  }
  return text;
}

std::string Style::Paint(Colour which, std::string_view text) const {
  if (!colour) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", CodeOf(which), text);
}

Style StyleOf(int fd, bool allow_colour) {
  Style style;
  if (::isatty(fd) != 1) return style;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool refused =
      (no_color != nullptr && *no_color != '\0') || (term != nullptr && std::string_view(term) == "dumb");
  style.colour = allow_colour && !refused;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) style.columns = size.ws_col;
  return style;
}

bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string text(value);
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text.contains("utf-8") || text.contains("utf8");
  }
  return false;
}

}  // namespace casemate
