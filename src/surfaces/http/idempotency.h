#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "surfaces/http/exchange.h"

namespace casemate::http {

// Answers that are kept for a second asking: who sends the same Idempotency-Key and the same body again gets
// the first answer, and nothing runs twice. Kept for an hour, 64 MiB of them and 4,096 at most, the oldest
// going first; lost with the engine. Thread-safe.
class Idempotency {
 public:
  // What a request with a key is to do.
  struct Proceed {};   // run, and then Finish() or Abandon()
  struct Mismatch {};  // the key was used with another body
  struct Busy {};      // the first asking has not ended in `wait_ms`
  using Verdict = std::variant<Proceed, Mismatch, Busy, std::string>;  // the string: the first answer's body

  // Waits while the first asking runs. `caller` keeps one peer's keys from another's.
  Verdict Begin(const std::string& caller, const std::string& key, const std::string& body_sha256,
                std::int64_t wait_ms);
  void Finish(const std::string& caller, const std::string& key, std::string answer);
  // Nothing has run: the key is free again.
  void Abandon(const std::string& caller, const std::string& key);

 private:
  using Id = std::pair<std::string, std::string>;
  struct Entry {
    std::string body_sha256;
    std::optional<std::string> answer;
    std::int64_t finished_us = 0;  // monotonic
  };
  void Trim(std::int64_t now_us);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Id, Entry> entries_;
  std::list<Id> finished_;  // the oldest first
  std::size_t kept_bytes_ = 0;
};

// Whether `key` is what this field may hold: 1 to 255 visible ASCII characters.
bool IsIdempotencyKey(std::string_view key);

}  // namespace casemate::http
