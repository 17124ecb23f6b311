#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "keys/key_store.h"

namespace casemate {

// Why a request of a key must wait.
struct OverQuota {
  std::string message;             // one sentence
  std::int64_t retry_after_s = 1;  // when it is worth another try
};

// What each key has taken: a token bucket for its rate, counters for the rest. Kept in memory: it begins anew
// with the engine. Thread-safe.
class KeyUsage {
 public:
  // Takes a place for one request, and `runs` of the day's runs. Each place is given back by End().
  std::optional<OverQuota> Begin(const ApiKey& key, std::int64_t now_us);
  void End(const std::string& id);
  // Takes one of the day's runs.
  std::optional<OverQuota> TakeRun(const ApiKey& key, std::int64_t now_us);

 private:
  struct Use {
    double tokens = 0;
    std::int64_t filled_us = 0;  // when `tokens` was right; 0: never used
    std::int64_t running = 0;
    std::int64_t day_began_us = 0;
    std::int64_t runs_today = 0;
  };

  std::mutex mutex_;
  std::map<std::string, Use> uses_;
};

}  // namespace casemate
