#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace casemate {

// A value that must not leave, by the name that detections call it.
struct KnownValue {
  std::string_view name;
  std::string_view value;
};

// Finds known values in every form of `FormsOf`, also with spaces, line ends, quotes, commas, plus signs,
// dashes, colons and backslashes in between (at most kGapMax in a row): one automaton (Aho and Corasick,
// 1975) that takes no notice of them. Immutable; holds the values, and forgets them by overwriting when it
// goes.
//
// A value of 8 or more bytes is found anywhere. One of 4 to 7 bytes is found as a whole word only, without
// anything in between; shorter ones are not looked for, for they would take ordinary text with them. Of a
// value of 16 or more letters and digits that looks random, any 8 bytes in a row are found too, so that
// halves on two streams are both gone. Lines of a longer value count each for itself.
class KnownValues {
 public:
  explicit KnownValues(std::span<const KnownValue> values);
  ~KnownValues();
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
    std::string word;  // to the letter, for what is found as a whole word only
  };
  enum Ends : std::uint8_t { kNothingEnds = 0, kFormEnds = 1, kWordEnds = 2 };
  void Add(std::string_view form, std::uint32_t value, bool whole_word);
  void AddValue(std::string_view text, std::uint32_t value);
  void Build();
  void Link();
  void FindForm(std::string_view text, std::size_t end, std::uint32_t state, std::vector<Found>& found) const;
  void FindWord(std::string_view text, std::size_t end, std::uint32_t state, std::vector<Found>& found) const;
  // The place `count` letters before `end`; npos where too much is in between.
  static std::size_t StepBack(std::string_view text, std::size_t end, std::size_t count);

  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::vector<std::string> names_;
  std::vector<Form> forms_;
  std::array<std::uint8_t, 256> class_of_{};  // 0: in no form; 1: may stand in between
  std::uint32_t classes_ = 2;
  std::vector<std::pair<std::string, std::uint32_t>> pending_;  // forms to build from; overwritten by Build
  std::vector<std::uint32_t> next_;                             // [state * classes_ + class]
  std::vector<std::uint32_t> form_;                             // what ends in a state
  std::vector<std::uint32_t> suffix_;  // the next shorter state in which something ends
  std::vector<std::uint32_t> depth_;
  std::vector<std::uint8_t> ends_;  // Ends of a state and of all its suffixes
};

// All spellings of `value` that are looked for: itself, backwards, hexadecimal in both cases (also as \x..),
// base64 (both alphabets, whatever stands before and after), percent-encoded, with JSON's and HTML's escapes.
std::vector<std::string> FormsOf(std::string_view value);

}  // namespace casemate
