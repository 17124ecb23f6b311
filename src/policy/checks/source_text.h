#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/checks.h"

namespace casemate {

// As large as the program of a run may be.
inline constexpr std::size_t kSourceBytesMax = 4 * 1024 * 1024;
// CPython's own bound (MAXLEVEL of its tokenizer).
inline constexpr int kBracketDepthMax = 200;

// A program's text as Python's own reader sees it: UTF-8 without a byte order mark, each line ended by "\n".
// Positions in it are those of the original, but for a mark.
class SourceText {
 public:
  // What makes the text unreadable for us or another text for Python than it shows: not UTF-8, a NUL, too
  // large, a declared encoding other than UTF-8, brackets nested too deep.
  static std::optional<Finding> Read(std::string_view bytes, SourceText& text);

  std::string_view text() const { return text_; }
  // Puts line, column and snippet of the byte at `offset` into `finding`.
  void Place(std::size_t offset, Finding& finding) const;

 private:
  std::string text_;
  std::vector<std::uint32_t> lines_;  // where each begins
};

}  // namespace casemate
