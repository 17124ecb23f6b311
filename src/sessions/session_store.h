#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "casemate/session.h"
#include "casemate/session_branches.h"
#include "casemate/session_contexts.h"
#include "sessions/live_session.h"

namespace casemate {

// All sessions of an engine: their ids, when they end, and who may use them when. One thread of its own ends
// those whose time is over and looks at the idle ones now and then; it sleeps in between, and is there only
// while there are sessions. An id is 128 random bits.
class SessionStore : public Sessions, public SessionBranches, public SessionContexts {
 public:
  struct Options {
    std::size_t live_max = 1000;
    std::string why_no_more = "no more are allowed: close some";
    std::size_t busy_max = 100;          // with more, each rests as soon as its step has ended
    std::int64_t look_ms = 10'000;       // between two looks at an idle session
    std::int64_t remember_ms = 600'000;  // how long one that has ended is still known, with its reason
  };
  // `maker` must outlive it.
  SessionStore(LiveSessionMaker& maker, Options options) : maker_(maker), options_(std::move(options)) {}
  // Ends all of them. No other call is under way.
  ~SessionStore() override;
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  Expected<SessionInfo> Open(const SessionOptions& options) override;
  Expected<ExecutionResult> Run(const std::string& id, const ExecutionRequest& request, EventSink* sink,
                                int cancel_fd, bool cancel_on_hang_up) override {
    return RunIn(id, "", request, sink, cancel_fd, cancel_on_hang_up);
  }
  Expected<ExecutionResult> RunIn(const std::string& id, const std::string& context,
                                  const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                  bool cancel_on_hang_up) override;
  Expected<void> Interrupt(const std::string& id) override;
  std::vector<SessionInfo> List() override;
  Expected<SessionInfo> Get(const std::string& id) override;
  Expected<std::string> CallerOf(const std::string& id) override;
  Expected<void> Close(const std::string& id) override;
  Expected<FileAnswer> Files(const std::string& id, const FileRequest& request) override;
  Expected<std::vector<SessionInfo>> Fork(const std::string& id, const ForkOptions& options) override;
  Expected<CheckpointInfo> Checkpoint(const std::string& id, const std::string& name) override;
  Expected<std::vector<CheckpointInfo>> Checkpoints(const std::string& id) override;
  Expected<SessionInfo> Rewind(const std::string& id, const std::string& checkpoint) override;
  Expected<void> DropCheckpoint(const std::string& id, const std::string& checkpoint) override;

 private:
  struct Kept {
    CheckpointInfo info;
    std::shared_ptr<LiveSession> live;
  };
  struct Entry {
    std::mutex use;  // held by whoever calls Step() or Look()
    // The rest under the store's mutex.
    std::shared_ptr<LiveSession> live;  // null once it has ended
    SessionInfo info;
    std::vector<Kept> checkpoints;  // each counts as a live session
    std::int64_t idle_timeout_ms = 0;
    std::int64_t lifetime_end_us = 0;
    std::int64_t idle_since_us = 0;  // of an ended one: since its end
  };
  using EntryPtr = std::shared_ptr<Entry>;
  // An idle session that is busy with something else than a step while this lives.
  struct Busy {
    EntryPtr entry;
    std::shared_ptr<LiveSession> live;
    std::unique_lock<std::mutex> use;
  };

  std::unexpected<Error> NoRoom() const;
  Expected<EntryPtr> Find(const std::string& id) const;
  static Expected<std::shared_ptr<LiveSession>> Living(const Entry& entry);
  SessionInfo InfoOf(const Entry& entry) const;
  // Makes it busy; with room for `more` live sessions besides.
  Expected<Busy> Begin(const std::string& id, std::size_t more);
  // The mutex is held. `why` it has ended meanwhile, or "". What is returned is to be destroyed without it.
  std::shared_ptr<LiveSession> Finish(Busy& busy, std::string why);
  // The copies of a session that Begin() has made busy, which is idle again then, or has ended.
  Expected<std::vector<std::unique_ptr<LiveSession>>> Copy(Busy& busy, LiveSession& of,
                                                           const std::vector<std::string>& ids);
  // Marks it as ended. What it returns is to be destroyed without the mutex.
  std::shared_ptr<LiveSession> EndEntry(Entry& entry, std::string because);
  void Keep();
  // The mutex is held. When the keeper has something to do next, with a look at `look_us`.
  std::int64_t NextDueUs(std::int64_t look_us) const;
  // Those that are left and idle.
  std::vector<EntryPtr> EndWhoseTimeIsOver();
  void LookAt(Entry& entry);

  LiveSessionMaker& maker_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, EntryPtr> entries_;
  std::size_t live_ = 0;  // with those that are being made
  bool stopping_ = false;
  std::thread keeper_;
};

}  // namespace casemate
