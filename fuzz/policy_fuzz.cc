// link: policy model base
// Profile text and the units of the command line: what is taken is valid, and durations read back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/profile.h"
#include "policy/resolver.h"
#include "policy/units.h"
#include "policy/validate.h"

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
  const auto cpus = casemate::ParseCpus(text);
  if (cpus && *cpus <= 0) std::abort();

  const auto resolved = casemate::PolicyResolver().Resolve(text.substr(0, text.find('\n')), {}, true);
  if (resolved && !resolved->require_limits) std::abort();
  return 0;
}
