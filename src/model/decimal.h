#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace casemate {

// The exact value of a JSON number of any size: digits * 10^exponent, in its one normal form (no leading
// or trailing zeros; zero has no digits and no sign).
class Decimal {
 public:
  // `number` must be a JSON number whose exponent has at most ten digits, as ParseJson lets pass.
  static Decimal FromJson(std::string_view number);

  std::strong_ordering operator<=>(const Decimal& other) const;
  bool operator==(const Decimal& other) const = default;

  bool is_integer() const { return exponent_ >= 0; }
  bool is_positive() const { return !negative_ && !digits_.empty(); }
  std::size_t digit_count() const { return digits_.size(); }

  // Whether this is `divisor` times an integer, exactly. `divisor` must be positive, of 18 digits or fewer.
  bool IsMultipleOf(const Decimal& divisor) const;

  // The value as a non-negative integer; unset when it is none. Above 2^62 it is 2^62.
  std::optional<std::uint64_t> ToSize() const;

  // For people: "-1230000", "0.5", and NormalText() where that takes many zeros.
  std::string ToText() const;

  // Equal exactly for equal values: "-123e4".
  std::string NormalText() const;

 private:
  bool negative_ = false;
  std::string digits_;
  std::int64_t exponent_ = 0;
};

}  // namespace casemate
