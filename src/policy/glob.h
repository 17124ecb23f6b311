#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// A pattern over relative paths. "?" is one character and "*" any number of them, never "/"; "[a-z]" and
// "[!a-z]" one character of a class; "**/" any folders or none; a final "**" everything below; a final "/"
// the same; "\" takes the next character as it is. Names that start with "." are like any other.
class Glob {
 public:
  // Errors: kInvalidRequest with what is wrong in the pattern.
  static Expected<Glob> Parse(std::string_view pattern);

  // Takes time proportional to the path's length times the pattern's, whatever they are.
  bool Matches(std::string_view relative_path) const;

  const std::string& text() const { return text_; }

 private:
  struct Range {
    char32_t first;
    char32_t last;
  };
  struct Token {
    enum class Kind { kLiteral, kAnyOne, kClass, kStar, kFolders, kRest };
    Kind kind;
    char32_t literal = 0;
    bool negated = false;
    std::vector<Range> ranges;
  };

  Glob() = default;
  Expected<void> ParseClass(const std::vector<char32_t>& pattern, std::size_t& at);
  void Activate(std::vector<bool>& states, std::size_t state) const;
  void Step(std::vector<bool>& next, std::size_t state, char32_t c) const;
  static bool TakesOne(const Token& token, char32_t c);

  std::string text_;
  std::vector<Token> tokens_;
};

}  // namespace casemate
