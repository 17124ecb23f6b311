#include "audit/record.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>

#include "base/sha256.h"

namespace casemate::audit {
namespace {

constexpr std::string_view kSeqKey = ",\"seq\":";
constexpr std::string_view kPrevKey = ",\"prev\":\"";
constexpr std::string_view kHashKey = ",\"hash\":\"";
constexpr std::string_view kHashEnd = "\"}";

bool IsHash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Days since 1970 of a day of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
// algorithms").
std::int64_t DaysOf(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

std::optional<unsigned> Digits(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string Seal(std::string body, Link& last) {
  body += fmt::format("{}{}{}{}\"", kSeqKey, last.seq + 1, kPrevKey, last.hash);
  last.hash = Sha256Hex(body);
  ++last.seq;
  body += kHashKey;
  body += last.hash;
  body += kHashEnd;
  body += '\n';
  return body;
}

std::optional<SealView> ReadSeal(std::string_view line) {
  constexpr std::size_t kHashPart = kHashKey.size() + kHashDigits + kHashEnd.size();
  constexpr std::size_t kPrevPart = kPrevKey.size() + kHashDigits + 1;
  if (line.size() < kHashPart + kPrevPart || !line.starts_with('{')) return std::nullopt;
  SealView seal;
  seal.hashed = line.substr(0, line.size() - kHashPart);
  const std::string_view hash_part = line.substr(seal.hashed.size());
  seal.hash = hash_part.substr(kHashKey.size(), kHashDigits);
  const std::string_view body = seal.hashed.substr(0, seal.hashed.size() - kPrevPart);
  const std::string_view prev_part = seal.hashed.substr(body.size());
  seal.prev = prev_part.substr(kPrevKey.size(), kHashDigits);
  if (!hash_part.starts_with(kHashKey) || !hash_part.ends_with(kHashEnd) || !IsHash(seal.hash) ||
      !prev_part.starts_with(kPrevKey) || prev_part.back() != '"' || !IsHash(seal.prev)) {
    return std::nullopt;
  }
  const std::size_t at = body.rfind(kSeqKey);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = body.substr(at + kSeqKey.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seal.seq);
  if (error != std::errc() || end != digits.data() + digits.size() || seal.seq < 1 || digits[0] == '0') {
    return std::nullopt;
  }
  return seal;
}

bool IsIntact(const SealView& seal) { return Sha256Hex(seal.hashed) == seal.hash; }

std::string FormatTime(std::int64_t unix_us) {
  const std::int64_t seconds = unix_us / 1'000'000 - (unix_us % 1'000'000 < 0 ? 1 : 0);
  const std::int64_t days = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0);
  const std::int64_t of_day = seconds - days * 86400;
  const std::int64_t shifted = days + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t day_of_era = shifted - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_index = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const std::int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", year, month, day, of_day / 3600,
                     of_day / 60 % 60, of_day % 60, unix_us - seconds * 1'000'000);
}

std::optional<std::int64_t> ParseTime(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.ddddddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  const auto field = [text](std::size_t at, std::size_t size) {
    return Digits(text.substr(at, size)).value_or(0);
  };
  const unsigned month = field(5, 2);
  const unsigned day = field(8, 2);
  if (month < 1 || month > 12 || day < 1 || day > 31 || field(11, 2) > 23 || field(14, 2) > 59 ||
      field(17, 2) > 59) {
    return std::nullopt;
  }
  const std::int64_t seconds = DaysOf(field(0, 4), month, day) * 86400 + std::int64_t{field(11, 2)} * 3600 +
                               std::int64_t{field(14, 2)} * 60 + field(17, 2);
  return seconds * 1'000'000 + field(20, 6);
}

std::int64_t WallUs() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace casemate::audit
