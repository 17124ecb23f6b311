#include "model/decimal.h"

#include <algorithm>
#include <charconv>

namespace casemate {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 62;

// 10^power modulo `divisor`, by squaring.
std::uint64_t PowerOfTen(std::int64_t power, std::uint64_t divisor) {
  Wide result = 1 % divisor;
  for (Wide base = 10 % divisor; power > 0; power >>= 1) {
    if ((power & 1) != 0) result = result * base % divisor;
    base = base * base % divisor;
  }
  return static_cast<std::uint64_t>(result);
}

}  // namespace

Decimal Decimal::FromJson(std::string_view number) {
  Decimal decimal;
  if (number.starts_with('-')) {
    decimal.negative_ = true;
    number.remove_prefix(1);
  }
  if (const auto e = number.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view exponent = number.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), decimal.exponent_);
    number = number.substr(0, e);
  }
  const auto point = number.find('.');
  decimal.digits_ = number.substr(0, point);
  if (point != std::string_view::npos) {
    decimal.digits_ += number.substr(point + 1);
    decimal.exponent_ -= static_cast<std::int64_t>(number.size() - point - 1);
  }
  const auto last = decimal.digits_.find_last_not_of('0');
  if (last == std::string::npos) return {};
  decimal.exponent_ += static_cast<std::int64_t>(decimal.digits_.size() - last - 1);
  decimal.digits_.resize(last + 1);
  decimal.digits_.erase(0, decimal.digits_.find_first_not_of('0'));
  return decimal;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  const auto sign = [](const Decimal& d) { return d.digits_.empty() ? 0 : d.negative_ ? -1 : 1; };
  if (sign(*this) != sign(other) || digits_.empty()) return sign(*this) <=> sign(other);
  const Decimal& a = negative_ ? other : *this;
  const Decimal& b = negative_ ? *this : other;
  // The place of the first digit decides; then the digits, aligned there.
  const auto place = [](const Decimal& d) {
    return static_cast<std::int64_t>(d.digits_.size()) + d.exponent_;
  };
  if (place(a) != place(b)) return place(a) <=> place(b);
  return a.digits_ <=> b.digits_;
}

bool Decimal::IsMultipleOf(const Decimal& divisor) const {
  if (digits_.empty()) return true;
  // Our last digit is not zero, so nothing that is a multiple of a higher power of ten.
  if (exponent_ < divisor.exponent_) return false;
  std::uint64_t modulus = 0;
  for (const char c : divisor.digits_) modulus = modulus * 10 + static_cast<std::uint64_t>(c - '0');
  if (modulus == 0) return false;  // a divisor of zeros alone has no digits
  std::uint64_t rest = 0;
  for (const char c : digits_) {
    const Wide digit = static_cast<unsigned char>(c - '0');
    rest = static_cast<std::uint64_t>((static_cast<Wide>(rest) * 10 + digit) % modulus);
  }
  return static_cast<Wide>(rest) * PowerOfTen(exponent_ - divisor.exponent_, modulus) % modulus == 0;
}

std::optional<std::uint64_t> Decimal::ToSize() const {
  if (negative_ || !is_integer()) return std::nullopt;
  if (static_cast<std::int64_t>(digits_.size()) + exponent_ > 18) return kSizeMax;
  std::uint64_t value = 0;
  for (const char c : digits_) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  for (std::int64_t i = 0; i < exponent_; ++i) value *= 10;
  return std::min(value, kSizeMax);
}

std::string Decimal::ToText() const {
  constexpr std::int64_t kZerosMax = 18;
  const auto size = static_cast<std::int64_t>(digits_.size());
  if (digits_.empty() || exponent_ > kZerosMax || exponent_ < -size - kZerosMax) return NormalText();
  std::string text = digits_;
  if (exponent_ >= 0) {
    text.append(static_cast<std::size_t>(exponent_), '0');
  } else if (size + exponent_ > 0) {
    text.insert(static_cast<std::size_t>(size + exponent_), ".");
  } else {
    text = "0." + std::string(static_cast<std::size_t>(-size - exponent_), '0') + text;
  }
  return (negative_ ? "-" : "") + text;
}

std::string Decimal::NormalText() const {
  if (digits_.empty()) return "0";
  return (negative_ ? "-" : "") + digits_ + "e" + std::to_string(exponent_);
}

}  // namespace casemate
