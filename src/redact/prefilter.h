#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "redact/rules/rule.h"

namespace casemate {

// Finds where any of many keywords may begin, at memory speed.
//
// Each keyword gives its four rarest bytes in a row (fewer of a short one), in one of 32 groups. All
// groups are looked for at once, 32 places at a time, by table look-ups on half bytes in vector registers
// (the filter "Teddy" of Hyperscan and the ripgrep crates); what passes is checked against an exact set, then
// against the keywords. With AVX-512 VBMI a look-up takes a whole byte, 64 places at a time.
// Without AVX2 the exact set is asked for each place. Immutable after construction; any number of threads.
class Prefilter {
 public:
  struct Entry {
    Keyword keyword;        // ASCII; need not outlive the call
    bool any_case = false;  // otherwise other cases are reported at times, and need not be
  };
  explicit Prefilter(const std::vector<Entry>& keywords);

  struct Hit {
    std::size_t at;         // where the keyword begins
    std::uint32_t keyword;  // its index
  };

  // Appends every occurrence that begins at or after `from` and ends before text.size(), in no order.
  void Find(std::string_view text, std::size_t from, std::vector<Hit>& hits) const;

  // Appends every keyword that the end of `text` is a proper beginning of, from `from` on, and where it
  // begins.
  void FindOpen(std::string_view text, std::size_t from, std::vector<Hit>& open) const;

 private:
  static constexpr std::size_t kQuarters = kKeywordGroups / 8;
  struct Gram {
    std::uint64_t bytes;  // folded, with their number above them
    std::uint32_t keyword;
    std::uint32_t offset;  // in the keyword
  };

  void AddGram(const Entry& entry, std::uint32_t index);
  bool MayStand(const char* text) const;
  void Check(std::string_view text, std::size_t from, std::size_t at, std::vector<Hit>& hits) const;
  void FindScalar(std::string_view text, std::size_t from, std::size_t begin, std::vector<Hit>& hits) const;
  void FindAvx2(std::string_view text, std::size_t from, std::vector<Hit>& hits) const;
  void FindAvx512(std::string_view text, std::size_t from, std::vector<Hit>& hits) const;

  std::vector<std::string> folded_;    // each keyword, folded
  std::vector<std::uint32_t> sorted_;  // their indices in the order of the texts
  std::size_t longest_ = 0;
  std::vector<Gram> grams_;  // by bytes
  std::array<bool, kKeywordGram + 1> has_length_{};
  std::vector<std::uint64_t> set_;  // a bit for each hash of a gram
  // [quarter][place][16]: the groups that have a byte with this half there; eight groups in each quarter.
  std::array<std::array<std::array<std::uint8_t, 16>, kKeywordGram>, kQuarters> low_{};
  std::array<std::array<std::array<std::uint8_t, 16>, kKeywordGram>, kQuarters> high_{};
  // [quarter][place][byte]: the same for whole bytes below 128.
  std::array<std::array<std::array<std::uint8_t, 128>, kKeywordGram>, kQuarters> whole_{};
};

}  // namespace casemate
