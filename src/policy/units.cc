#include "policy/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "casemate/limits.h"

namespace casemate {
namespace {

// Above this a double is not every whole number.
constexpr double kWholeMax = 9007199254740992.0;

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a plain decimal ("12", "1.5", ".5") off the front of `text`: no sign, no exponent.
std::optional<double> TakeDecimal(std::string_view& text) {
  std::size_t size = 0, digits = 0, points = 0;
  while (size < text.size() && (IsDigit(text[size]) || text[size] == '.')) {
    (text[size] == '.' ? points : digits) += 1;
    ++size;
  }
  if (digits == 0 || points > 1) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + size) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The factor of "", "k", "mb", "GiB", ...
std::optional<double> ByteFactor(std::string_view suffix) {
  double factor = 1;
  if (!suffix.empty()) {
    constexpr std::string_view kPrefixes = "kmgt";
    if (const auto power = kPrefixes.find(Lower(suffix.front())); power != std::string_view::npos) {
      factor = std::pow(1024.0, static_cast<double>(power + 1));
      suffix.remove_prefix(1);
      if (suffix.size() == 2 && Lower(suffix.front()) == 'i') suffix.remove_prefix(1);
    }
  }
  if (!suffix.empty() && !(suffix.size() == 1 && Lower(suffix.front()) == 'b')) return std::nullopt;
  return factor;
}

struct TimeUnit {
  std::string_view name;
  std::int64_t ms;
};
// "ms" before "m", which it begins with.
constexpr TimeUnit kTimeUnits[] = {{"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}};

std::optional<double> TakeTimeUnit(std::string_view& text) {
  for (const TimeUnit& unit : kTimeUnits) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return static_cast<double>(unit.ms);
  }
  return std::nullopt;
}

std::optional<double> ReadDurationMs(std::string_view text) {
  std::string_view rest = text;
  const auto seconds = TakeDecimal(rest);
  if (seconds && rest.empty()) return *seconds * 1000;
  double total = 0;
  do {
    const auto number = TakeDecimal(text);
    const auto unit = TakeTimeUnit(text);
    if (!number || !unit) return std::nullopt;
    total += *number * *unit;
  } while (!text.empty());
  return total;
}

}  // namespace

Expected<std::int64_t> ParseBytes(std::string_view text) {
  std::string_view rest = text;
  const auto number = TakeDecimal(rest);
  const auto factor = ByteFactor(rest);
  if (!number || !factor) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("\"{}\" is not a size; write bytes or a number with k, m, g or t, like 128m.", text));
  }
  const double bytes = std::round(*number * *factor);
  if (bytes > kWholeMax) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" is more bytes than can be counted; write less.", text));
  }
  return static_cast<std::int64_t>(bytes);
}

Expected<std::int64_t> ParseDurationMs(std::string_view text) {
  const auto ms = ReadDurationMs(text);
  if (!ms) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("\"{}\" is not a duration; write seconds or numbers with h, m, s or ms, like 1m30s.",
                    text));
  }
  if (*ms > kWholeMax) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" is longer than can be counted; write less.", text));
  }
  return static_cast<std::int64_t>(std::round(*ms));
}

Expected<double> ParseCpus(std::string_view text) {
  std::string_view rest = text;
  const auto cpus = TakeDecimal(rest);
  if (!cpus || !rest.empty() || *cpus <= 0) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" is not a number of CPUs; write a positive decimal, like 0.5.", text));
  }
  return *cpus;
}

std::string FormatBytes(std::int64_t bytes) {
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < kKiB) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  const double tenths = std::round(value * 10);
  return std::fmod(tenths, 10) == 0 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                    : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatDuration(std::int64_t ms) {
  if (ms < 1000) return fmt::format("{}ms", ms);
  std::string text;
  if (const auto hours = ms / 3'600'000; hours > 0) text += fmt::format("{}h", hours);
  if (const auto minutes = ms / 60'000 % 60; minutes > 0) text += fmt::format("{}m", minutes);
  if (const auto rest = ms % 60'000; rest > 0) text += fmt::format("{}s", static_cast<double>(rest) / 1000);
  return text;
}

}  // namespace casemate
