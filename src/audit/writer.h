#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "audit/file_ops.h"
#include "audit/signing.h"
#include "audit/store.h"
#include "base/unique_fd.h"
#include "casemate/audit.h"
#include "casemate/error.h"

namespace casemate::audit {

// What of the log is kept without anyone's asking. Whole segments go, the oldest first, and a record says so;
// what a sink has not had yet, or a profile has promised to keep, stays until `bytes_max` demands its room.
struct KeepOptions {
  std::optional<std::int64_t> age_us;     // records of this age and younger
  std::optional<std::int64_t> bytes_max;  // of all segments together
};

struct WriterOptions {
  std::string state_dir;
  SyncPolicy sync = SyncPolicy::kWritten;
  std::int64_t segment_bytes_max = std::int64_t{64} << 20;
  std::int64_t checkpoint_every = 1000;  // records
  std::int64_t lock_ms = 2000;           // for which other writers are waited for
  KeepOptions keep;  // looked at when a segment is full, and every hour of a resident process
  // The process stays: a thread brings records to the disk within a second, and signs once a minute.
  bool resident = false;
  // What no append can tell, as a sentence: retention failed. Any thread, none of the writer's locks held.
  std::function<void(const std::string&)> tell;
  FileOps* files = nullptr;  // not owned; null for the host's
};

// Appends to the log, which other processes and other writers of this one may do at the same time. Touches no
// file before its first Append. Any thread.
class Writer {
 public:
  explicit Writer(WriterOptions options);
  ~Writer();  // of a resident process: signs and syncs what is not yet
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Appends one record for each body (a JSON object without its last brace), next to each other and with
  // nothing between. When it returns they are acknowledged: no kill of any process takes them back, and with
  // SyncPolicy::kDisk no power cut does. On an error none of them counts. kUnavailable, whatever the reason:
  // what was to be recorded must not happen. Waits at most lock_ms for others, and as long as write(2) and
  // fdatasync(2) take.
  Expected<void> Append(std::vector<std::string> bodies);

  // Signs what no checkpoint covers yet.
  Expected<void> Checkpoint();

 private:
  class Lock;

  Expected<void> AppendLocked(std::vector<std::string> bodies);
  Expected<void> Open();
  Expected<void> Catch(std::vector<std::string>& bodies);
  Expected<void> Begin(std::vector<std::string>& bodies);
  Expected<void> Recover(const std::optional<Head>& head, std::vector<std::string>& bodies);
  Expected<void> OpenSegment(std::int64_t segment, bool create);
  Expected<void> MoveOn(std::int64_t segment, const Link& last);
  Expected<void> WriteLines(const std::string& lines);
  Expected<void> WriteHead(const Head& head);
  Expected<void> AddCheckpoint(std::string& lines, Head& head);
  Expected<void> Sync(std::unique_lock<std::mutex>& lock);
  bool TailMatches() const;
  void KeepWithin();
  void StartThread();
  void Background();

  const WriterOptions options_;
  const std::string folder_;
  FileOps& files_;

  std::mutex mutex_;
  UniqueFd head_fd_;
  std::shared_ptr<UniqueFd> segment_fd_;
  Head head_;
  bool caught_up_ = false;  // head_ and segment_fd_ are of a log whose end was checked
  std::optional<SigningKey> key_;

  std::condition_variable synced_changed_;
  std::int64_t written_ = 0;  // appends
  std::int64_t synced_ = 0;   // of them
  bool syncing_ = false;
  bool rotated_ = false;  // since what is old was last looked at

  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace casemate::audit
