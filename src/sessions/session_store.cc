// Theory of operation: `mutex_` guards the map and all entries, and is never held while a session works. An
// entry's `use` is held by the step or the look that works with it; a second step is told that the session is
// busy. Whoever ends a session takes its pointer out of the entry under the mutex; the last
// holder of the pointer destroys it, which may be the step that is being ended.
#include "sessions/session_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "sessions/session_ids.h"

namespace casemate {
namespace {

constexpr std::int64_t kLongestMs = 365LL * 24 * 3600 * 1000;

Expected<void> CheckTimes(const SessionOptions& options) {
  for (const auto& [name, value] :
       {std::pair<std::string_view, std::int64_t>{"idle_timeout_ms", options.idle_timeout_ms},
        {"lifetime_ms", options.lifetime_ms}}) {
    if (value >= 1 && value <= kLongestMs) continue;
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" must be from 1 to {}, a year", name, kLongestMs));
  }
  return {};
}

}  // namespace

SessionStore::~SessionStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
}

Expected<SessionInfo> SessionStore::Open(const SessionOptions& options) {
  if (auto checked = CheckTimes(options); !checked) return std::unexpected(checked.error());
  {
    const std::lock_guard lock(mutex_);
    if (live_ >= options_.live_max) return NoRoom();
    ++live_;
  }
  auto entry = std::make_shared<Entry>();
  entry->info.id = MakeSessionId();
  auto made = maker_.Make(entry->info.id, options);
  const std::lock_guard lock(mutex_);
  if (!made) {
    --live_;
    return std::unexpected(std::move(made.error()));
  }
  entry->live = *std::move(made);
  entry->live->Rest();
  entry->info.name = options.name;
  entry->info.caller = options.base.origin.caller;
  entry->info.policy = options.base.policy;
  entry->info.environment = options.base.environment;
  entry->info.isolation = entry->live->isolation();
  entry->info.created_at_ms = entry->info.last_used_at_ms = UnixMs();
  entry->idle_timeout_ms = options.idle_timeout_ms;
  entry->idle_since_us = MonotonicUs();
  entry->lifetime_end_us = entry->idle_since_us + options.lifetime_ms * 1000;
  entries_[entry->info.id] = entry;
  if (!keeper_.joinable()) keeper_ = std::thread([this] { Keep(); });
  changed_.notify_all();
  return InfoOf(*entry);
}

// The mutex is held.
std::unexpected<Error> SessionStore::NoRoom() const {
  return Fail(ErrorCode::kUnavailable,
              fmt::format("there are {} sessions already, and {}", live_, options_.why_no_more));
}

Expected<SessionStore::EntryPtr> SessionStore::Find(const std::string& id) const {
  const auto found = entries_.find(id);
  if (found != entries_.end()) return found->second;
  return Fail(ErrorCode::kNotFound,
              "there is no such session: it was closed, has expired long ago, or was another engine's; open "
              "a new one");
}

Expected<std::shared_ptr<LiveSession>> SessionStore::Living(const Entry& entry) {
  if (entry.live) return entry.live;
  return Fail(ErrorCode::kUnavailable,
              fmt::format("the session has ended: {}; open a new one", entry.info.ended_because));
}

SessionInfo SessionStore::InfoOf(const Entry& entry) const {
  SessionInfo info = entry.info;
  if (info.state == SessionState::kEnded) return info;
  const std::int64_t idle_end = entry.idle_since_us + entry.idle_timeout_ms * 1000;
  const std::int64_t end = info.state == SessionState::kRunning ? entry.lifetime_end_us
                                                                : std::min(idle_end, entry.lifetime_end_us);
  info.expires_at_ms = UnixMs() + (end - MonotonicUs()) / 1000;
  return info;
}

std::shared_ptr<LiveSession> SessionStore::EndEntry(Entry& entry, std::string because) {
  if (!entry.live) return nullptr;
  --live_;
  entry.info.state = SessionState::kEnded;
  entry.info.ended_because = std::move(because);
  entry.info.expires_at_ms = UnixMs();
  entry.idle_since_us = MonotonicUs();
  entry.live->End();
  live_ -= entry.checkpoints.size();
  struct Dead {
    std::shared_ptr<LiveSession> live;
    std::vector<Kept> checkpoints;
  };
  const auto dead =
      std::make_shared<Dead>(std::exchange(entry.live, nullptr), std::exchange(entry.checkpoints, {}));
  return {dead, dead->live.get()};
}

Expected<ExecutionResult> SessionStore::RunIn(const std::string& id, const std::string& context,
                                              const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                              bool cancel_on_hang_up) {
  if (!IsContextName(context))
    return Fail(ErrorCode::kInvalidRequest, "\"context\" must be 1 to 64 letters, digits, \"_\" and \"-\"");
  EntryPtr entry;
  std::shared_ptr<LiveSession> live;
  bool crowded = false;
  {
    const std::lock_guard lock(mutex_);
    auto found = Find(id);
    if (!found) return std::unexpected(found.error());
    entry = *found;
    auto living = Living(*entry);
    if (!living) return std::unexpected(living.error());
    live = *living;
    if (entry->info.state == SessionState::kRunning) {
      return Fail(ErrorCode::kUnavailable,
                  "the session is busy with another step: wait for its end, or interrupt it");
    }
    entry->info.state = SessionState::kRunning;
    ++entry->info.steps;
    // Here, since an interrupt is let through to it from now on.
    live->Prepare(context);
    crowded = live_ > options_.busy_max;
  }
  // At most a look is to be waited for.
  std::unique_lock use(entry->use);
  ExecutionResult result = live->Step(request, sink, cancel_fd, cancel_on_hang_up);
  if (crowded) live->Rest();
  std::string ended = result.session ? result.session->ended_because : "";
  std::shared_ptr<LiveSession> dead;
  const std::lock_guard lock(mutex_);
  use.unlock();
  entry->info.last_used_at_ms = UnixMs();
  if (!entry->live) return result;
  entry->info.state = SessionState::kIdle;
  entry->idle_since_us = MonotonicUs();
  if (!ended.empty()) dead = EndEntry(*entry, std::move(ended));
  if (entry->idle_timeout_ms < options_.look_ms) changed_.notify_all();
  return result;
}

Expected<void> SessionStore::Interrupt(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  auto living = Living(**found);
  if (!living) return std::unexpected(living.error());
  // Under the mutex: a moment later another step may run.
  if ((*found)->info.state == SessionState::kRunning) (*living)->Interrupt();
  return {};
}

std::vector<SessionInfo> SessionStore::List() {
  const std::lock_guard lock(mutex_);
  std::vector<SessionInfo> all;
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) all.push_back(InfoOf(*entry));
  std::ranges::sort(all, {}, &SessionInfo::created_at_ms);
  return all;
}

Expected<SessionInfo> SessionStore::Get(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  return InfoOf(**found);
}

Expected<std::string> SessionStore::CallerOf(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  return (*found)->info.caller;
}

Expected<void> SessionStore::Close(const std::string& id) {
  std::shared_ptr<LiveSession> dead;
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  dead = EndEntry(**found, "it was closed");
  entries_.erase(id);
  return {};
}

Expected<FileAnswer> SessionStore::Files(const std::string& id, const FileRequest& request) {
  std::shared_ptr<LiveSession> live;
  {
    const std::lock_guard lock(mutex_);
    auto found = Find(id);
    if (!found) return std::unexpected(found.error());
    auto living = Living(**found);
    if (!living) return std::unexpected(living.error());
    live = *living;
    // Who works with its files does not leave it idle.
    if ((*found)->info.state == SessionState::kIdle) (*found)->idle_since_us = MonotonicUs();
  }
  return live->Files(request);
}

// ---- The keeper. ----

void SessionStore::Keep() {
  std::unique_lock lock(mutex_);
  std::int64_t look_us = MonotonicUs() + options_.look_ms * 1000;
  while (!stopping_) {
    // A change, such as one session more, is no reason to look at all the others.
    const std::int64_t wait_us = NextDueUs(look_us) - MonotonicUs();
    changed_.wait_for(lock,
                      std::chrono::microseconds(std::clamp<std::int64_t>(wait_us, 1000, kLongestMs * 1000)));
    if (stopping_) break;
    const bool look = MonotonicUs() >= look_us;
    lock.unlock();
    const std::vector<EntryPtr> idle = EndWhoseTimeIsOver();
    if (look) {
      for (const EntryPtr& entry : idle) LookAt(*entry);
      look_us = MonotonicUs() + options_.look_ms * 1000;
    }
    lock.lock();
  }
  std::vector<std::shared_ptr<LiveSession>> dead;
  for (const auto& [id, entry] : entries_) dead.push_back(EndEntry(*entry, "the engine ended"));
  entries_.clear();
  lock.unlock();
}

std::int64_t SessionStore::NextDueUs(std::int64_t look_us) const {
  if (entries_.empty()) return MonotonicUs() + kLongestMs * 1000;
  std::int64_t next_us = look_us;
  for (const auto& [id, entry] : entries_) {
    if (!entry->live) continue;
    next_us = std::min(next_us, entry->lifetime_end_us);
    if (entry->info.state == SessionState::kIdle)
      next_us = std::min(next_us, entry->idle_since_us + entry->idle_timeout_ms * 1000);
  }
  return next_us;
}

std::vector<SessionStore::EntryPtr> SessionStore::EndWhoseTimeIsOver() {
  std::vector<std::shared_ptr<LiveSession>> dead;
  std::vector<EntryPtr> idle;
  const std::lock_guard lock(mutex_);
  const std::int64_t now = MonotonicUs();
  for (const auto& [id, entry] : entries_) {
    if (!entry->live) continue;
    if (now >= entry->lifetime_end_us) {
      dead.push_back(EndEntry(*entry, "its lifetime was over"));
    } else if (entry->info.state == SessionState::kIdle) {
      if (now >= entry->idle_since_us + entry->idle_timeout_ms * 1000) {
        dead.push_back(EndEntry(*entry, "it was idle for too long"));
      } else {
        idle.push_back(entry);
      }
    }
  }
  std::erase_if(entries_, [this, now](const auto& item) {
    return !item.second->live && now - item.second->idle_since_us > options_.remember_ms * 1000;
  });
  return idle;
}

void SessionStore::LookAt(Entry& entry) {
  std::shared_ptr<LiveSession> live;
  const std::unique_lock use(entry.use, std::try_to_lock);
  if (!use.owns_lock()) return;
  {
    const std::lock_guard lock(mutex_);
    live = entry.live;
  }
  if (!live) return;
  std::string ended = live->Look();
  live->Rest();
  if (ended.empty()) return;
  const std::lock_guard lock(mutex_);
  (void)EndEntry(entry, std::move(ended));
}

}  // namespace casemate
