#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "casemate/limits.h"

namespace casemate {

enum class LimitUnit { kMilliseconds, kBytes, kCount, kCpus };

// One field of Limits: everything that validation, overrides, JSON and help need to know of it.
struct LimitField {
  using Member =
      std::variant<std::int64_t Limits::*, std::optional<std::int64_t> Limits::*, double Limits::*>;

  std::string_view name;  // the member's own name
  LimitUnit unit;
  Member member;
  double min;
  double max;
  std::string_view min_reason;  // why not less: a clause, to follow a colon
  std::string_view max_reason;  // why not more
  std::string_view help;        // one line

  bool is_whole() const { return unit != LimitUnit::kCpus; }
};

// Every field of Limits, in its order.
std::span<const LimitField> LimitTable();

// nullptr when there is no limit of that name.
const LimitField* FindLimit(std::string_view name);

// The field's value in `limits`; unset only for optional fields. All in-range values are exact in a double.
std::optional<double> GetLimit(const Limits& limits, const LimitField& field);

// Sets the field. `value` must be in range, and whole where the field is.
void SetLimit(Limits& limits, const LimitField& field, double value);

// `value` as a person reads it: "256 MiB", "30s", "0.5 CPUs", "64".
std::string FormatLimit(const LimitField& field, double value);

}  // namespace casemate
