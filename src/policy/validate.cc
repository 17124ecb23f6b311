#include "policy/validate.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "policy/nearest.h"

namespace casemate {
namespace {

// `value` in the field's own unit, with a readable form where that helps: "1024 (1 KiB)".
std::string Show(const LimitField& field, double value) {
  std::string exact = fmt::format("{}", value);
  if (field.unit == LimitUnit::kCount || field.unit == LimitUnit::kCpus) return exact;
  if (value < 1000 || value != std::floor(value) || value > 1e15) return exact;
  return fmt::format("{:.0f} ({})", value, FormatLimit(field, value));
}

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

}  // namespace

Expected<void> ValidateLimit(const LimitField& field, double value) {
  if (std::isnan(value)) {
    return Refuse(fmt::format("{} is not a number; give one from {} to {}.", field.name,
                              Show(field, field.min), Show(field, field.max)));
  }
  if (value < field.min || value > field.max) {
    return Refuse(fmt::format("{} is {}, but must be from {} to {}: {}.", field.name, Show(field, value),
                              Show(field, field.min), Show(field, field.max),
                              value < field.min ? field.min_reason : field.max_reason));
  }
  if (field.is_whole() && value != std::floor(value)) {
    return Refuse(fmt::format("{} is {}, but must be a whole number; round it.", field.name, value));
  }
  return {};
}

Expected<void> ValidateLimits(const Limits& limits) {
  for (const LimitField& field : LimitTable()) {
    const auto value = GetLimit(limits, field);
    if (!value) continue;
    if (auto valid = ValidateLimit(field, *value); !valid) return valid;
  }
  return {};
}

Expected<Limits> OverrideLimits(Limits base, const std::map<std::string, double>& overrides) {
  for (const auto& [name, value] : overrides) {
    const LimitField* field = FindLimit(name);
    if (field == nullptr)
      return Refuse(fmt::format("There is no limit named \"{}\"{}", name, SuggestLimit(name)));
    if (auto valid = ValidateLimit(*field, value); !valid) return std::unexpected(std::move(valid.error()));
    SetLimit(base, *field, value);
  }
  return base;
}

std::string SuggestLimit(std::string_view name) {
  std::vector<std::string_view> names;
  for (const LimitField& field : LimitTable()) names.push_back(field.name);
  return SuggestName(name, names);
}

}  // namespace casemate
