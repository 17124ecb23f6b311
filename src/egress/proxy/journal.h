#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "casemate/network.h"
#include "egress/rules/allowlist.h"
#include "egress/rules/destination.h"
#include "egress/rules/wire.h"

namespace casemate::egress {

// What was asked for and what came of it, added up by destination, address and reason. Thread-safe.
class Journal {
 public:
  // `tell` gets a refusal at its first sight and everything else in Flush(), each count once. It is called by
  // one thread at a time.
  using Tell = std::function<void(const ToldAttempt&)>;
  explicit Journal(Tell tell) : tell_(std::move(tell)) {}

  static constexpr std::size_t kDistinctMax = 256;  // the rest is told as "other destinations"

  void Refused(const std::string& destination, const Verdict& verdict);
  void Allowed(const Destination& destination, const Address& address);
  // Allowed, but it could not be reached or broke: nobody's denial.
  void Failed(const Destination& destination, const std::string& reason);
  void Moved(const Destination& destination, const Address& address, std::int64_t sent,
             std::int64_t received);
  void Flush();

 private:
  using Key = std::tuple<std::string, std::string, bool, std::string>;
  ToldAttempt& Entry(std::string destination, std::string address, bool allowed, std::string reason);

  Tell tell_;
  std::mutex mutex_;
  std::map<Key, ToldAttempt> entries_;
};

}  // namespace casemate::egress
