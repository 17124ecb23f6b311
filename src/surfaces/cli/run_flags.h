#pragma once

#include <span>
#include <string_view>

#include "surfaces/cli/run_options.h"

namespace casemate {

// One flag of `casemate run`, in the order of the help.
struct RunFlag {
  std::string_view name;      // without "--"
  char letter = '\0';         // or none
  std::string_view argument;  // its name in the help; "" when the flag takes none
  std::string_view limit;     // the field of Limits that it sets; "" when it is no limit
  Expected<void> (*apply)(RunOptions& options, std::string_view value) = nullptr;  // when it is no limit
  std::string_view help;
};
std::span<const RunFlag> RunFlags();

// Does what `flag` is for. `value` is "" for a flag that takes none.
Expected<void> ApplyFlag(const RunFlag& flag, std::string_view value, RunOptions& options);

}  // namespace casemate
