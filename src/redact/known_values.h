#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret_pages.h"

namespace casemate {

// A value that must not leave, by the name that detections call it.
struct KnownValue {
  std::string_view name;
  std::string_view value;
};

// Finds known values in every form of `FormsOf`, also with spaces, line ends, quotes, commas, plus signs,
// dashes, colons and backslashes in between (at most kGapMax in a row): one automaton (Aho and Corasick,
// 1975) that takes no notice of them. Immutable; what tells of the values is in memory that is not dumped,
// locked where that is allowed, and zeroed at the end.
//
// A value of 8 or more bytes is found anywhere. One of 4 to 7 bytes is found as a whole word only, without
// anything in between; shorter ones are not looked for, for they would take ordinary text with them. Of a
// value of 16 or more letters and digits that looks random, any 8 bytes in a row are found too, so that
// halves on two streams are both gone. Lines of a longer value count each for itself.
class KnownValues {
 public:
  explicit KnownValues(std::span<const KnownValue> values);
  KnownValues(const KnownValues&) = delete;
  KnownValues& operator=(const KnownValues&) = delete;

  bool empty() const { return forms_.empty(); }
  const std::string& NameOf(std::uint32_t value) const { return names_[value]; }

  struct Found {
    std::size_t begin;
    std::size_t end;
    std::uint32_t value;
  };
  // Goes on from `state` (0 at first) over text[from, to); what is found ends there and may begin before.
  std::uint32_t Scan(std::string_view text, std::size_t from, bool final, std::uint32_t state,
                     std::vector<Found>& found) const;
  // Where a value may have begun that is not complete at the end of `text`; text.size() if none has.
  std::size_t OpenAt(std::string_view text, std::uint32_t state) const;

  static constexpr std::size_t kGapMax = 16;

 private:
  struct Form {
    std::uint32_t length;  // without what may stand in between
    std::uint32_t value;
    std::uint32_t word_at;  // in `words_`, to the letter, for what is found as a whole word only
    std::uint32_t word_length;
  };
  enum Ends : std::uint8_t { kNothingEnds = 0, kFormEnds = 1, kWordEnds = 2 };
  // What to look for: a part of `letters` and the form that it is.
  struct Spelling {
    std::uint32_t at;
    std::uint32_t length;
    std::uint32_t form;
  };
  struct Spellings {
    explicit Spellings(std::pmr::memory_resource* memory) : letters(memory), list(memory) {}
    std::string_view Of(const Spelling& one) const {
      return std::string_view(letters).substr(one.at, one.length);
    }
    // Never so short that it lies in this object, on a stack.
    std::pmr::string letters;
    std::pmr::vector<Spelling> list;
  };
  std::string_view WordOf(const Form& form) const {
    return std::string_view(words_).substr(form.word_at, form.word_length);
  }
  void Add(std::string_view form, std::uint32_t value, bool whole_word, Spellings& spellings);
  void AddValue(std::string_view text, std::uint32_t value, Spellings& spellings);
  void Build(const Spellings& spellings);
  void Link();
  void FindForm(std::string_view text, std::size_t end, std::uint32_t state, std::vector<Found>& found) const;
  void FindWord(std::string_view text, std::size_t end, std::uint32_t state, std::vector<Found>& found) const;
  // The place `count` letters before `end`; npos where too much is in between.
  static std::size_t StepBack(std::string_view text, std::size_t end, std::size_t count);

  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  SecretArena arena_;  // first: it outlives what is in it
  std::vector<std::string> names_;
  std::pmr::vector<Form> forms_{&arena_};
  std::pmr::string words_{&arena_};
  std::array<std::uint8_t, 256> class_of_{};  // 0: in no form; 1: may stand in between
  std::uint32_t classes_ = 2;
  std::pmr::vector<std::uint32_t> next_{&arena_};    // [state * classes_ + class]
  std::pmr::vector<std::uint32_t> form_{&arena_};    // what ends in a state
  std::pmr::vector<std::uint32_t> suffix_{&arena_};  // the next shorter state in which something ends
  std::pmr::vector<std::uint32_t> depth_{&arena_};
  std::pmr::vector<std::uint8_t> ends_{&arena_};  // Ends of a state and of all its suffixes
};

// All spellings of `value` that are looked for: itself, backwards, hexadecimal in both cases (also as \x..),
// base64 (both alphabets, whatever stands before and after), percent-encoded, with JSON's and HTML's escapes.
// They are in `memory`.
std::pmr::vector<std::pmr::string> FormsOf(std::string_view value, std::pmr::memory_resource* memory);

}  // namespace casemate
