#include "redact/validators.h"

#include <array>
#include <cstdint>
#include <string>

#include "redact/assignment.h"
#include "redact/text_class.h"

namespace casemate {
namespace {

std::string Digits(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (Is(c, kDigitChar)) digits += c;
  }
  return digits;
}

int Value(char digit) { return digit - '0'; }

bool PassesLuhn(std::string_view text) {
  const std::string digits = Digits(text);
  if (digits.size() < 13 || digits.size() > 19 || digits.find_first_not_of(digits[0]) == std::string::npos)
    return false;
  // Major industry identifiers of banks, travel and telecommunications: 3, 4, 5, 6, and 2 for new ranges.
  if (digits[0] < '2' || digits[0] > '6') return false;
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int value = Value(digits[digits.size() - 1 - i]);
    if (i % 2 == 1) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

bool IsPrivateIpv4(std::string_view text) {
  std::array<int, 4> parts{};
  std::size_t part = 0;
  std::size_t length = 0;
  for (const char c : text) {
    if (c == '.') {
      if (length == 0 || ++part > 3) return false;
      length = 0;
      continue;
    }
    if (++length > 3) return false;
    parts[part] = parts[part] * 10 + Value(c);
    if (parts[part] > 255) return false;
  }
  if (part != 3 || length == 0) return false;
  return parts[0] == 10 || (parts[0] == 172 && parts[1] >= 16 && parts[1] <= 31) ||
         (parts[0] == 192 && parts[1] == 168) || (parts[0] == 169 && parts[1] == 254) ||
         (parts[0] == 100 && parts[1] >= 64 && parts[1] <= 127);
}

// Since 2011 numbers are given out at random, but never these.
bool IsSsn(std::string_view text) {
  const std::string digits = Digits(text);
  return digits.size() == 9 && digits[0] != '9' && !digits.starts_with("000") && !digits.starts_with("666") &&
         digits.substr(3, 2) != "00" && digits.substr(5) != "0000" && digits != "078051120" &&
         digits != "123456789";
}

bool IsCpf(std::string_view text) {
  const std::string digits = Digits(text);
  if (digits.size() != 11 || digits.find_first_not_of(digits[0]) == std::string::npos) return false;
  for (const std::size_t length : {9U, 10U}) {
    int sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += Value(digits[i]) * static_cast<int>(length + 1 - i);
    if (sum * 10 % 11 % 10 != Value(digits[length])) return false;
  }
  return true;
}

bool IsNir(std::string_view text) {
  const std::string digits = Digits(text);
  if (digits.size() != 15) return false;
  std::int64_t number = 0;
  for (const char c : digits.substr(0, 13)) number = number * 10 + Value(c);
  return 97 - number % 97 == Value(digits[13]) * 10 + Value(digits[14]);
}

std::string DecodeBase64Url(std::string_view text) {
  std::string bytes;
  unsigned held = 0;
  unsigned bits = 0;
  for (const char c : text) {
    unsigned value = 0;
    if (Is(c, kUpperChar)) {
      value = static_cast<unsigned>(c - 'A');
    } else if (Is(c, kLowerChar)) {
      value = static_cast<unsigned>(c - 'a') + 26;
    } else if (Is(c, kDigitChar)) {
      value = static_cast<unsigned>(c - '0') + 52;
    } else if (c == '-' || c == '+') {
      value = 62;
    } else if (c == '_' || c == '/') {
      value = 63;
    } else {
      break;
    }
    held = held << 6U | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 0xFFU);
  }
  return bytes;
}

bool IsJwt(std::string_view text) {
  const std::string header = DecodeBase64Url(text.substr(0, text.find('.')));
  return header.starts_with('{') &&
         (header.find("\"alg\"") != std::string::npos || header.find("\"enc\"") != std::string::npos ||
          header.find("\"typ\"") != std::string::npos);
}

bool IsBasic(std::string_view text) {
  const std::string decoded = DecodeBase64Url(text);
  return decoded.find(':') != std::string::npos;
}

// SWIFT's IBAN registry: the length of each country's number.
constexpr std::string_view kIbanLengths =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22"
    "GI23"
    "GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31"
    "MU30"
    "NL18NO15PK24PL28PS29PT25QA29RO24RS22SA24SC31SD18SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20";

}  // namespace

bool IsIban(std::string_view text) {
  std::string compact;
  for (const char c : text) {
    if (c != ' ' && c != '-') compact += c;
  }
  if (compact.size() < 15) return false;
  const auto digit = [](char c) { return static_cast<std::size_t>(Value(c)); };
  std::size_t length = 0;
  for (std::size_t i = 0; i + 4 <= kIbanLengths.size(); i += 4) {
    if (kIbanLengths.substr(i, 2) == std::string_view(compact).substr(0, 2)) {
      length = digit(kIbanLengths[i + 2]) * 10 + digit(kIbanLengths[i + 3]);
    }
  }
  if (compact.size() != length) return false;
  unsigned rest = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const char c = compact[(i + 4) % length];
    rest = Is(c, kDigitChar) ? (rest * 10 + static_cast<unsigned>(Value(c))) % 97
                             : (rest * 100 + static_cast<unsigned>(c - 'A' + 10)) % 97;
  }
  return rest == 1;
}

bool Passes(Validator validator, std::string_view text) {
  switch (validator) {
    case Validator::kNone:
      return true;
    case Validator::kLuhn:
      return PassesLuhn(text);
    case Validator::kPrivateIpv4:
      return IsPrivateIpv4(text);
    case Validator::kSsn:
      return IsSsn(text);
    case Validator::kCpf:
      return IsCpf(text);
    case Validator::kNir:
      return IsNir(text);
    case Validator::kJwt:
      return IsJwt(text);
    case Validator::kRandom:
      return LooksRandom(text);
    case Validator::kBasic:
      return IsBasic(text);
    case Validator::kDigits:
      return Digits(text).size() >= 5;
  }
  return false;
}

}  // namespace casemate
