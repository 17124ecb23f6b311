// Fork, checkpoint and rewind: what a store does with copies of a session (live_session.h makes them).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "sessions/session_ids.h"
#include "sessions/session_store.h"

namespace casemate {
namespace {

std::unexpected<Error> NoCheckpoint() {
  return Fail(ErrorCode::kNotFound, "the session has no such checkpoint: list them, or make one");
}

}  // namespace

Expected<SessionStore::Busy> SessionStore::Begin(const std::string& id, std::size_t more) {
  Busy busy;
  {
    const std::lock_guard lock(mutex_);
    auto found = Find(id);
    if (!found) return std::unexpected(found.error());
    auto living = Living(**found);
    if (!living) return std::unexpected(living.error());
    if ((*found)->info.state == SessionState::kRunning) {
      return Fail(ErrorCode::kUnavailable,
                  "the session is busy with a step: wait for its end, or interrupt it");
    }
    if (live_ + more > options_.live_max) return NoRoom();
    live_ += more;
    busy.entry = *found;
    busy.live = *living;
    busy.entry->info.state = SessionState::kRunning;
  }
  // At most a look is to be waited for.
  busy.use = std::unique_lock(busy.entry->use);
  return busy;
}

std::shared_ptr<LiveSession> SessionStore::Finish(Busy& busy, std::string why) {
  Entry& entry = *busy.entry;
  busy.use.unlock();
  entry.info.last_used_at_ms = UnixMs();
  if (!entry.live) return nullptr;
  entry.info.state = SessionState::kIdle;
  entry.idle_since_us = MonotonicUs();
  if (entry.idle_timeout_ms < options_.look_ms) changed_.notify_all();
  return why.empty() ? nullptr : EndEntry(entry, std::move(why));
}

Expected<std::vector<std::unique_ptr<LiveSession>>> SessionStore::Copy(Busy& busy, LiveSession& of,
                                                                       const std::vector<std::string>& ids) {
  auto copies = of.Fork(ids);
  if (copies) return copies;
  std::string why = copies.error().code != ErrorCode::kUnavailable && &of == busy.live.get()
                        ? copies.error().message
                        : std::string();
  std::shared_ptr<LiveSession> dead;
  const std::lock_guard lock(mutex_);
  live_ -= ids.size();
  dead = Finish(busy, std::move(why));
  return copies;
}

Expected<std::vector<SessionInfo>> SessionStore::Fork(const std::string& id, const ForkOptions& options) {
  if (options.count < 1 || options.count > kForksMax) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("\"count\" must be from 1 to {}", kForksMax));
  }
  const auto count = static_cast<std::size_t>(options.count);
  auto busy = Begin(id, count);
  if (!busy) return std::unexpected(busy.error());
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(MakeSessionId());
  auto copies = Copy(*busy, *busy->live, ids);
  if (!copies) return std::unexpected(copies.error());
  std::vector<SessionInfo> all;
  const std::lock_guard lock(mutex_);
  Entry& origin = *busy->entry;
  for (std::size_t i = 0; i < count; ++i) {
    auto entry = std::make_shared<Entry>();
    entry->live = std::move((*copies)[i]);
    entry->info = origin.info;
    entry->info.id = ids[i];
    entry->info.parent = id;
    if (!options.name.empty()) entry->info.name = options.name;
    entry->info.state = SessionState::kIdle;
    entry->info.created_at_ms = entry->info.last_used_at_ms = UnixMs();
    entry->idle_timeout_ms = origin.idle_timeout_ms;
    entry->idle_since_us = MonotonicUs();
    entry->lifetime_end_us = origin.lifetime_end_us;
    all.push_back(InfoOf(*entry));
    entries_[ids[i]] = std::move(entry);
  }
  (void)Finish(*busy, "");
  changed_.notify_all();
  return all;
}

Expected<CheckpointInfo> SessionStore::Checkpoint(const std::string& id, const std::string& name) {
  auto busy = Begin(id, 1);
  if (!busy) return std::unexpected(busy.error());
  Entry& entry = *busy->entry;
  if (entry.checkpoints.size() >= kCheckpointsMax) {  // nobody else changes them while it is busy
    const std::lock_guard lock(mutex_);
    --live_;
    (void)Finish(*busy, "");
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the session has {} checkpoints, and no more are allowed: drop some", kCheckpointsMax));
  }
  auto copies = Copy(*busy, *busy->live, {id});
  if (!copies) return std::unexpected(copies.error());
  std::shared_ptr<LiveSession> late = std::move(copies->front());
  const std::lock_guard lock(mutex_);
  Kept kept{{MakeCheckpointId(), name, UnixMs(), entry.info.steps}, late};
  if (entry.live) {
    entry.checkpoints.push_back(kept);
    late.reset();
  } else {
    --live_;  // it was closed meanwhile
  }
  (void)Finish(*busy, "");
  return kept.info;
}

Expected<std::vector<CheckpointInfo>> SessionStore::Checkpoints(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  std::vector<CheckpointInfo> all;
  for (const Kept& kept : (*found)->checkpoints) all.push_back(kept.info);
  return all;
}

Expected<SessionInfo> SessionStore::Rewind(const std::string& id, const std::string& checkpoint) {
  auto busy = Begin(id, 0);
  if (!busy) return std::unexpected(busy.error());
  Entry& entry = *busy->entry;
  std::shared_ptr<LiveSession> from;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entry.checkpoints, checkpoint,
                                         [](const Kept& kept) -> const std::string& { return kept.info.id; });
    if (found == entry.checkpoints.end()) {
      (void)Finish(*busy, "");
      return NoCheckpoint();
    }
    from = found->live;
  }
  auto copies = from->Fork({id});
  std::shared_ptr<LiveSession> dead;
  const std::lock_guard lock(mutex_);
  if (copies && entry.live) dead = std::exchange(entry.live, std::move(copies->front()));
  (void)Finish(*busy, "");
  if (!copies) return std::unexpected(copies.error());
  return InfoOf(entry);
}

Expected<void> SessionStore::DropCheckpoint(const std::string& id, const std::string& checkpoint) {
  std::shared_ptr<LiveSession> dead;
  const std::lock_guard lock(mutex_);
  auto found = Find(id);
  if (!found) return std::unexpected(found.error());
  std::vector<Kept>& all = (*found)->checkpoints;
  const auto place =
      std::ranges::find(all, checkpoint, [](const Kept& kept) -> const std::string& { return kept.info.id; });
  if (place == all.end()) return NoCheckpoint();
  if ((*found)->info.state == SessionState::kRunning)
    return Fail(ErrorCode::kUnavailable, "the session is busy: wait for the end of its step");
  dead = std::move(place->live);
  all.erase(place);
  --live_;
  return {};
}

}  // namespace casemate
