#include "surfaces/http/runs.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "surfaces/http/wire.h"

namespace casemate::http {
namespace {

// How often one that waits for a place looks whether its peer is still there. A thousand of them look at the
// same time, and the programs that they wait for want the processor.
constexpr std::chrono::milliseconds kLookEvery{250};

std::string Lacks(Scope scope, std::string_view what) {
  return fmt::format("{} needs a key with the scope {}: leave it out or use such a key", what,
                     ScopeName(scope));
}

}  // namespace

// One of the places to run at, for as long as it lives.
class Runs::Place {
 public:
  explicit Place(Runs& runs) : runs_(runs) {}
  ~Place() { runs_.LeavePlace(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Runs& runs_;
};

// Knows a run from the moment that it has an id, for as long as it lives.
class Runs::Watch : public EventSink {
 public:
  Watch(Runs& runs, std::string caller, const std::function<void()>& cancel, EventSink* sink)
      : runs_(runs), caller_(std::move(caller)), cancel_(cancel), sink_(sink) {}
  ~Watch() override {
    const std::lock_guard lock(runs_.mutex_);
    if (number_) runs_.known_.erase(*number_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void OnEvent(const Event& event) override {
    if (const auto* started = std::get_if<StartedEvent>(&event)) {
      const std::lock_guard lock(runs_.mutex_);
      number_ = runs_.next_++;
      runs_.known_[*number_] = {{started->id, caller_, WallClockUs()}, cancel_};
    }
    if (sink_ != nullptr) sink_->OnEvent(event);
  }

 private:
  Runs& runs_;
  const std::string caller_;
  const std::function<void()>& cancel_;
  EventSink* sink_;
  std::optional<std::uint64_t> number_;
};

bool Runs::WaitForPlace(const Cancel& cancel) {
  const Deadline deadline = Deadline::After(limits_.wait_ms);
  std::unique_lock lock(mutex_);
  if (running_ < limits_.running_max) {
    ++running_;
    return true;
  }
  Waiter self;
  waiters_.push_back(&self);
  bool gone = false;
  while (!gone && !deadline.Passed() && !draining_) {
    self.called.wait_for(lock, std::min<std::chrono::milliseconds>(
                                   kLookEvery, std::chrono::milliseconds(deadline.RemainingMs())));
    if (self.has_place) return true;
    lock.unlock();
    gone = cancel.fd >= 0 && cancel.when == CancelWhen::kHungUp && WaitFor(cancel.fd, POLLRDHUP, 0);
    lock.lock();
    if (self.has_place) return true;
  }
  std::erase(waiters_, &self);
  return false;
}

// Hands it on, so that nobody who asks now gets it before those who wait. There may be more that run than
// places, since sessions take none.
void Runs::LeavePlace() {
  const std::lock_guard lock(mutex_);
  if (waiters_.empty() || running_ > limits_.running_max) {
    --running_;
    return;
  }
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  next->has_place = true;
  next->called.notify_one();
}

std::optional<Runs::Refusal> Runs::Refuses(const Request& asked, const ExecutionRequest& request) {
  if (draining_) return Refusal{503, "unavailable", "this engine is about to end: try again soon", 1};
  if (auto forbidden = Forbids(asked.scopes, request)) {
    return Refusal{403, "forbidden", *std::move(forbidden), 0};
  }
  if (!asked.key) return std::nullopt;
  const auto over = usage_.TakeRun(*asked.key, WallClockUs());
  if (!over) return std::nullopt;
  return Refusal{429, "too_many_requests", over->message, over->retry_after_s};
}

std::expected<std::shared_ptr<void>, Runs::Refusal> Runs::Enter(const Request& asked,
                                                                const ExecutionRequest& request) {
  if (auto refused = Refuses(asked, request)) return std::unexpected(*std::move(refused));
  {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  return std::make_shared<Place>(*this);
}

std::expected<ExecutionResult, Runs::Refusal> Runs::Execute(ExecutionRequest& request, const Request& asked,
                                                            EventSink* sink, const Cancel& cancel,
                                                            const std::function<void()>& begin) {
  if (auto refused = Refuses(asked, request)) return std::unexpected(*std::move(refused));
  if (!WaitForPlace(cancel)) {
    return std::unexpected(
        Refusal{503, "unavailable",
                "more programs run than this engine has places for: try again soon, or less at once", 1});
  }
  const Place place(*this);
  request.origin.surface = "http";
  request.origin.caller = asked.caller;
  if (!asked.trace_parent.empty()) request.origin.trace_parent = asked.trace_parent;
  if (!asked.trace_state.empty()) request.origin.trace_state = asked.trace_state;
  if (begin) begin();
  Watch watch(*this, asked.caller, cancel.now, sink);
  return engine_.Execute(request, &watch, cancel.fd, cancel.when);
}

std::vector<Runs::Live> Runs::List(const std::string& caller) const {
  std::vector<Live> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [number, known] : known_) {
    if (caller.empty() || known.live.caller == caller) all.push_back(known.live);
  }
  return all;
}

bool Runs::End(const std::string& id, const std::string& caller) {
  // Under the lock, since what `cancel` works on is there as long as the run is known.
  const std::lock_guard lock(mutex_);
  for (const auto& [number, known] : known_) {
    if (known.live.id != id || (!caller.empty() && known.live.caller != caller)) continue;
    if (known.cancel) known.cancel();
    return true;
  }
  return false;
}

void Runs::CancelAll() {
  const std::lock_guard lock(mutex_);
  for (const auto& [number, known] : known_) {
    if (known.cancel) known.cancel();
  }
}

void Runs::BeginDrain() {
  draining_ = true;
  const std::lock_guard lock(mutex_);
  for (Waiter* const waiter : waiters_) waiter->called.notify_one();
}

std::optional<std::string> Forbids(Scopes scopes, const ExecutionRequest& request) {
  if (!scopes.Has(Scope::kHost)) {
    if (request.workspace) return Lacks(Scope::kHost, "a workspace, which is a folder of the engine's host,");
    if (!request.mounts.empty())
      return Lacks(Scope::kHost, "a mount, which shows a folder of the engine's host,");
  }
  if (!scopes.Has(Scope::kSecrets) && !request.secrets.empty()) {
    return Lacks(Scope::kSecrets, "a secret of the engine's stores");
  }
  if (!scopes.Has(Scope::kNetwork) && request.network && request.network->open()) {
    return Lacks(Scope::kNetwork, "a network");
  }
  const std::string& environment = request.environment;
  if (environment == "host" || environment.starts_with("sha256:")) return std::nullopt;
  if (!scopes.Has(Scope::kEnvironments))
    return Lacks(Scope::kEnvironments, "an environment that may have to be made");
  const bool by_name = environment.starts_with("packages:") || environment.starts_with("python=");
  if (!by_name && !scopes.Has(Scope::kHost)) {
    return Lacks(Scope::kHost, "an environment that is made of files of the engine's host");
  }
  return std::nullopt;
}

void SendRefusal(const Runs::Refusal& refusal, Reply& reply) {
  if (refusal.retry_after_s > 0) reply.AddField("Retry-After", fmt::format("{}", refusal.retry_after_s));
  reply.Send(refusal.ToAnswer());
}

}  // namespace casemate::http
