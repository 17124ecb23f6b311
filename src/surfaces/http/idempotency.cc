#include "surfaces/http/idempotency.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace casemate::http {
namespace {

constexpr std::int64_t kKeptUs = 3600LL * 1'000'000;
constexpr std::size_t kKeptBytes = 64UL << 20U;
constexpr std::size_t kKeptCount = 4096;
constexpr std::size_t kKeyBytesMax = 255;

}  // namespace

Idempotency::Verdict Idempotency::Begin(const std::string& caller, const std::string& key,
                                        const std::string& body_sha256, std::int64_t wait_ms) {
  const Id id{caller, key};
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
  std::unique_lock lock(mutex_);
  for (;;) {
    Trim(MonotonicUs());
    const auto found = entries_.find(id);
    if (found == entries_.end()) {
      entries_[id].body_sha256 = body_sha256;
      return Proceed();
    }
    if (found->second.body_sha256 != body_sha256) return Mismatch();
    if (found->second.answer) return *found->second.answer;
    if (changed_.wait_until(lock, until) == std::cv_status::timeout) return Busy();
  }
}

void Idempotency::Finish(const std::string& caller, const std::string& key, std::string answer) {
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[{caller, key}];
    kept_bytes_ += answer.size();
    entry.answer = std::move(answer);
    entry.finished_us = MonotonicUs();
    finished_.emplace_back(caller, key);
    Trim(entry.finished_us);
  }
  changed_.notify_all();
}

void Idempotency::Abandon(const std::string& caller, const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    entries_.erase({caller, key});
  }
  changed_.notify_all();
}

void Idempotency::Trim(std::int64_t now_us) {
  while (!finished_.empty()) {
    const auto oldest = entries_.find(finished_.front());
    const bool full = kept_bytes_ > kKeptBytes || finished_.size() > kKeptCount;
    if (!full && now_us - oldest->second.finished_us < kKeptUs) return;
    kept_bytes_ -= oldest->second.answer->size();
    entries_.erase(oldest);
    finished_.pop_front();
  }
}

bool IsIdempotencyKey(std::string_view key) {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace casemate::http
