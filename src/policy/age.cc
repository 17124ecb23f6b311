#include "policy/age.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

#include "policy/units.h"

namespace casemate {

Expected<std::int64_t> ParseAgeUs(std::string_view text) {
  constexpr std::int64_t kDayUs = 86'400'000'000;
  constexpr std::int64_t kDaysMax = 36'500;
  if (text.ends_with('d')) {
    std::int64_t days = -1;
    const char* const last = text.data() + text.size() - 1;
    const auto [end, error] = std::from_chars(text.data(), last, days);
    if (error != std::errc() || end != last || days < 0 || days > kDaysMax)
      return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" is no number of days", text));
    return days * kDayUs;
  }
  const auto ms = ParseDurationMs(text);
  if (!ms) return std::unexpected(ms.error());
  if (*ms < 0 || *ms > kDaysMax * kDayUs / 1000)
    return Fail(ErrorCode::kInvalidRequest, fmt::format("\"{}\" is too long", text));
  return *ms * 1000;
}

}  // namespace casemate
