#pragma once

#include <cstddef>
#include <string_view>

#include "redact/match.h"

namespace casemate {

// `name = value` in the ways of programs, settings, headers, JSON, YAML, XML, command lines and addresses.
struct Assignment {
  Match::State state = Match::State::kNone;
  std::size_t value_begin = 0;  // kOpen: the value begins there or later
  std::size_t value_end = 0;
  char quote = '\0';      // around the value
  bool tight = false;     // "=" without spaces
  bool by_comma = false;  // "name", "value"
  bool prose = false;     // name is value
  bool cut = false;       // the value goes on for longer than is looked at
};

enum class NameRest {
  kAny,   // the keyword may be anywhere in the name
  kNone,  // the name ends with the keyword, but for numbers and words like "prod"
};

// The assignment whose name holds the keyword of `length` bytes at `at`.
Assignment ReadAssignment(const KnownText& known, std::size_t at, std::size_t length, NameRest rest);

// Whether an assignment's value is one that a person or a machine would keep secret, and no placeholder, code
// or word of a sentence.
bool LooksLikePassword(std::string_view text, const Assignment& found);
bool LooksLikeSecret(std::string_view text, const Assignment& found);

// "<your key>", "${KEY}", "xxxx", "changeme": what stands where a value should be.
bool IsPlaceholder(std::string_view value);
// A call, an attribute, a name with underscores: what a program computes a value with.
bool LooksLikeCode(std::string_view value);
// Letters and digits mixed as a machine mixes them, 16 or more.
bool LooksRandom(std::string_view value);
// Shannon entropy in bits a character.
double Entropy(std::string_view value);

}  // namespace casemate
