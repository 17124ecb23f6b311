#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace casemate {

// `text` on one line and harmless to a terminal: control characters, C1 controls, and the characters that
// reorder text are written as escapes ("\x1b", "\n", "\u202e"), bytes that are not UTF-8 as U+FFFD.
std::string EscapeForTerminal(std::string_view text);

// The first `columns` characters (not bytes), the last of them "…" when something was left out.
std::string Shorten(const std::string& text, std::size_t columns);

enum class Colour { kRed, kYellow, kGreen, kDim, kBold };

// How a human's terminal is written to.
struct Style {
  bool colour = false;
  std::size_t columns = 200;

  // `text` in that colour, or as it is where there are none.
  std::string Paint(Colour which, std::string_view text) const;
};

// What fits the file behind `fd`: colours only on a terminal, and not with NO_COLOR or TERM=dumb.
Style StyleOf(int fd, bool allow_colour);

// Whether the locale's encoding is UTF-8, by LC_ALL, LC_CTYPE and LANG.
bool LocaleIsUtf8();

}  // namespace casemate
