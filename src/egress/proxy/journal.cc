#include "egress/proxy/journal.h"

#include <utility>

namespace casemate::egress {

ToldAttempt& Journal::Entry(std::string destination, std::string address, bool allowed, std::string reason) {
  Key key{std::move(destination), std::move(address), allowed, std::move(reason)};
  if (entries_.size() >= kDistinctMax && !entries_.contains(key))
    key = {"other destinations", "", allowed, ""};
  ToldAttempt& entry = entries_[key];
  if (entry.attempt.destination.empty()) {
    entry.attempt = {std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), 0, 0, 0};
  }
  return entry;
}

void Journal::Refused(const std::string& destination, const Verdict& verdict) {
  const std::lock_guard lock(mutex_);
  ToldAttempt& entry = Entry(destination, "", false, verdict.reason);
  ++entry.attempt.count;
  if (!entry.remedy.empty()) return;
  entry.remedy = verdict.remedy;
  tell_(entry);
  entry.attempt.count = 0;
}

void Journal::Allowed(const Destination& destination, const Address& address) {
  const std::lock_guard lock(mutex_);
  ++Entry(destination.ToString(), address.ToString(), true, "").attempt.count;
}

void Journal::Failed(const Destination& destination, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  ++Entry(destination.ToString(), "", true, reason).attempt.count;
}

void Journal::Moved(const Destination& destination, const Address& address, std::int64_t sent,
                    std::int64_t received) {
  const std::lock_guard lock(mutex_);
  NetworkAttempt& attempt = Entry(destination.ToString(), address.ToString(), true, "").attempt;
  attempt.bytes_sent += sent;
  attempt.bytes_received += received;
}

void Journal::Flush() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, entry] : entries_) {
    NetworkAttempt& attempt = entry.attempt;
    if (attempt.count == 0 && attempt.bytes_sent == 0 && attempt.bytes_received == 0) continue;
    tell_(entry);
    attempt.count = attempt.bytes_sent = attempt.bytes_received = 0;
  }
}

}  // namespace casemate::egress
