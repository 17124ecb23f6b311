#include "keys/key_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace casemate {
namespace {

constexpr double kMinuteUs = 60e6;
constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;

}  // namespace

std::optional<OverQuota> KeyUsage::Begin(const ApiKey& key, std::int64_t now_us) {
  const KeyQuota& quota = key.quota;
  const std::lock_guard lock(mutex_);
  Use& use = uses_[key.id];
  if (quota.concurrent > 0 && use.running >= quota.concurrent) {
    return OverQuota{
        fmt::format("this key may have {} requests at one time: wait for one to end", quota.concurrent), 1};
  }
  if (quota.per_minute > 0) {
    const auto size = static_cast<double>(quota.burst > 0 ? quota.burst : quota.per_minute);
    const double per_us = static_cast<double>(quota.per_minute) / kMinuteUs;
    const auto passed = static_cast<double>(now_us - use.filled_us);
    use.tokens = use.filled_us == 0 ? size : std::min(size, use.tokens + std::max(passed, 0.0) * per_us);
    use.filled_us = now_us;
    if (use.tokens < 1) {
      const auto wait_s = static_cast<std::int64_t>(std::ceil((1 - use.tokens) / per_us / 1e6));
      return OverQuota{fmt::format("this key may make {} requests a minute: slow down", quota.per_minute),
                       std::max<std::int64_t>(wait_s, 1)};
    }
    use.tokens -= 1;
  }
  ++use.running;
  return std::nullopt;
}

void KeyUsage::End(const std::string& id) {
  const std::lock_guard lock(mutex_);
  --uses_[id].running;
}

std::optional<OverQuota> KeyUsage::TakeRun(const ApiKey& key, std::int64_t now_us) {
  if (key.quota.runs_per_day == 0) return std::nullopt;
  const std::lock_guard lock(mutex_);
  Use& use = uses_[key.id];
  if (use.day_began_us == 0 || now_us - use.day_began_us >= kDayUs) {
    use.day_began_us = now_us;
    use.runs_today = 0;
  }
  if (use.runs_today >= key.quota.runs_per_day) {
    const std::int64_t left_s = (use.day_began_us + kDayUs - now_us) / 1'000'000 + 1;
    return OverQuota{fmt::format("this key may have {} runs a day, and has had them", key.quota.runs_per_day),
                     left_s};
  }
  ++use.runs_today;
  return std::nullopt;
}

}  // namespace casemate
