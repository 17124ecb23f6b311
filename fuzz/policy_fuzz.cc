// link: policy model base
// Profile text, the units of the command line, and overrides (a profile's name, then NAME=NUMBER a line):
// what is taken is valid, and durations read back.
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "policy/age.h"
#include "policy/profile.h"
#include "policy/resolver.h"
#include "policy/units.h"
#include "policy/validate.h"

namespace {

std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
  return line;
}

// Any double: also infinities, and what is no number.
std::map<std::string, double> Overrides(std::string_view text) {
  std::map<std::string, double> overrides;
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    double value = 0;
    std::from_chars(line.data() + equals + 1, line.data() + line.size(), value);
    overrides[std::string(line.substr(0, equals))] = value;
  }
  return overrides;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = casemate::ParseProfile("fuzz", text);
  if (policy && !casemate::ValidateLimits(policy->limits)) std::abort();
  if (!policy && policy.error().message.empty()) std::abort();

  const auto bytes = casemate::ParseBytes(text);
  if (bytes && *bytes < 0) std::abort();
  const auto ms = casemate::ParseDurationMs(text);
  if (ms && *ms < 0) std::abort();
  if (ms && *ms < 1'000'000'000'000 && casemate::ParseDurationMs(casemate::FormatDuration(*ms)) != *ms)
    std::abort();
  const auto age = casemate::ParseAgeUs(text);
  if (age && *age < 0) std::abort();
  const auto cpus = casemate::ParseCpus(text);
  if (cpus && *cpus <= 0) std::abort();

  std::string_view rest = text;
  const std::string_view profile = TakeLine(rest);
  const auto resolved = casemate::PolicyResolver().Resolve(profile, Overrides(rest), true);
  if (resolved && (!resolved->require_limits || !casemate::ValidateLimits(resolved->limits))) std::abort();
  if (!resolved && resolved.error().message.empty()) std::abort();
  return 0;
}
