#pragma once

#include <cstddef>
#include <string_view>

namespace casemate {

// What is left out after a match until its end is seen, however far that is.
enum class Swallow : unsigned char {
  kNothing,
  kToken,   // letters, digits and + / = _ - . ~
  kDouble,  // until a double quote or the end of the line
  kSingle,
  kBacktick,
  kPem,  // until the END line, or what cannot be in a block
};

// The text as far as it is known. Nothing may depend on where it ends, unless it is `final`: what cannot be
// decided without the next byte is kOpen.
struct KnownText {
  std::string_view text;
  bool final = false;

  std::size_t size() const { return text.size(); }
  char operator[](std::size_t i) const { return text[i]; }
  // Whether a look at place `i` would be past what is known, though more may come.
  bool Unknown(std::size_t i) const { return i >= text.size() && !final; }
};

struct Match {
  enum class State : unsigned char { kNone, kOpen, kFound };
  State state = State::kNone;
  std::size_t begin = 0;  // kFound: what is to be taken out; kOpen: nothing from here on may be let out
  std::size_t end = 0;
  Swallow swallow = Swallow::kNothing;

  static Match None() { return {}; }
  static Match Open(std::size_t from) { return {State::kOpen, from, from, Swallow::kNothing}; }
  static Match Found(std::size_t begin, std::size_t end, Swallow swallow = Swallow::kNothing) {
    return {State::kFound, begin, end, swallow};
  }
};

// The end of what `swallow` still covers of `known` from `from` on, and whether that is its end for good.
struct SwallowEnd {
  std::size_t at;
  bool done;
};
SwallowEnd FindSwallowEnd(const KnownText& known, std::size_t from, Swallow swallow);

}  // namespace casemate
