#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "casemate/engine.h"
#include "keys/key_usage.h"
#include "surfaces/http/exchange.h"

namespace casemate::http {

struct RunLimits {
  int running_max = 256;          // programs at one time; more wait
  std::int64_t wait_ms = 30'000;  // how long they wait; then 503
};

// The programs that run for peers: how many at one time, which they are, and their ends. Thread-safe.
class Runs {
 public:
  // Both must outlive it.
  Runs(Engine& engine, KeyUsage& usage, const RunLimits& limits)
      : engine_(engine), usage_(usage), limits_(limits) {}

  // Runs `request` for the peer of `asked`, whose origin it gets. `cancel` ends it, when that is called on
  // another thread while this one is within Execute; besides, `cancel_fd` does.
  //
  // Errors, as what to answer: the peer may not, has used up what it may, or there is no place. The program
  // has not run then. `begin`, if any, is called when there is one, before the first event.
  struct Cancel {
    int fd = -1;
    CancelWhen when = CancelWhen::kHungUp;
    std::function<void()> now;
  };
  struct Refusal {
    int status = 503;
    std::string_view code;  // a literal, as in ErrorAnswer
    std::string message;
    std::int64_t retry_after_s = 0;  // 0: not worth another try
    Answer ToAnswer() const { return ErrorAnswer(status, code, message); }
  };
  std::expected<ExecutionResult, Refusal> Execute(ExecutionRequest& request, const Request& asked,
                                                  EventSink* sink, const Cancel& cancel,
                                                  const std::function<void()>& begin = nullptr);

  // Asks the same of a peer for what runs in a sandbox that is its own already, a session, which takes no
  // place. What it gets counts as running for as long as it lives.
  std::expected<std::shared_ptr<void>, Refusal> Enter(const Request& asked, const ExecutionRequest& request);

  // One that runs now.
  struct Live {
    std::string id;
    std::string caller;
    std::int64_t started_us = 0;  // since 1970
  };
  // Of `caller`, or of all when it is "".
  std::vector<Live> List(const std::string& caller) const;
  // Ends the run `id` of `caller` ("": of anyone). False when there is none.
  bool End(const std::string& id, const std::string& caller);
  void CancelAll();

  void BeginDrain();
  bool draining() const { return draining_; }
  int running() const { return running_; }
  // Peers that wait for a place.
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(waiters_.size());
  }
  Engine& engine() { return engine_; }

 private:
  class Watch;
  class Place;
  struct Waiter {
    std::condition_variable called;
    bool has_place = false;
  };
  struct Known {
    Live live;
    std::function<void()> cancel;
  };

  // Why the peer may not run `request` now, whatever place there is.
  std::optional<Refusal> Refuses(const Request& asked, const ExecutionRequest& request);
  // False when there was no place in time, or the peer has gone. Places are given in the order of asking.
  bool WaitForPlace(const Cancel& cancel);
  void LeavePlace();

  Engine& engine_;
  KeyUsage& usage_;
  const RunLimits limits_;
  std::atomic<bool> draining_ = false;
  std::atomic<int> running_ = 0;
  mutable std::mutex mutex_;
  std::deque<Waiter*> waiters_;
  std::map<std::uint64_t, Known> known_;
  std::uint64_t next_ = 0;
};

// Why a peer with `scopes` may not ask for all that `request` asks for, in a sentence; nullopt when it may.
std::optional<std::string> Forbids(Scopes scopes, const ExecutionRequest& request);
// Sends a refusal with its Retry-After.
void SendRefusal(const Runs::Refusal& refusal, Reply& reply);

}  // namespace casemate::http
