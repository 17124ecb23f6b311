// Theory of operation. An append is: take the lock of `head`; read `head` and see that the segment has
// exactly the length it states; write the lines with one write(2); write `head` in place; let go. A writer
// that is killed in between leaves a segment that is longer than `head` says, by whole lines or by a torn
// one; the next append finds that and writes a `recovery` record about it before its own (recover.cc).
// Nothing that was acknowledged is ever rewritten, and bytes that are not understood are left where they are:
// the log goes on in a new segment.
//
// A full disk: a short write is taken back, and nothing was acknowledged. `head` is written in place and
// needs no room.
#include "audit/writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "audit/checkpoint.h"
#include "audit/prune.h"
#include "audit/retention_state.h"
#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "model/json_writer.h"

namespace casemate::audit {
namespace {

constexpr std::size_t kHeadBytesMax = 512;
constexpr std::string_view kRemedy =
    "free some space or mend the folder, or name another one with CASEMATE_STATE_DIR";

std::unexpected<Error> Unrecorded(const std::string& what, int err) {
  return FailErrno(ErrorCode::kUnavailable,
                   fmt::format("the audit log cannot be written, and nothing runs "
                               "without its record: {}",
                               kRemedy),
                   what, err);
}

std::unexpected<Error> Unrecorded(const Error& error) {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the audit log cannot be written, and nothing runs without its record: {}", kRemedy),
      error.ToString());
}

std::string ReadHeadText(int fd) {
  std::array<char, kHeadBytesMax> bytes{};
  const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), 0);
  return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

// Whether the file behind `fd` still has its name.
bool IsThere(int fd, std::int64_t* size) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_nlink == 0) return false;
  if (size != nullptr) *size = info.st_size;
  return true;
}

}  // namespace

// The log's lock among processes, for as long as it lives.
class Writer::Lock {
 public:
  static Expected<Lock> Take(int fd, std::int64_t wait_ms, const std::string& folder) {
    const Deadline deadline = Deadline::After(wait_ms);
    constexpr long kFirstNs = 20'000;
    constexpr long kLongestNs = 1'000'000;
    for (long pause = kFirstNs; ::flock(fd, LOCK_EX | LOCK_NB) != 0;
         pause = std::min(2 * pause, kLongestNs)) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return Unrecorded("flock", errno);
      if (deadline.Passed()) {
        return Fail(
            ErrorCode::kUnavailable,
            fmt::format("another process has held the audit log at {} for {} ms, and nothing runs without "
                        "its record: find it with fuser {}/head",
                        folder, wait_ms, folder));
      }
      const timespec nap{0, pause};
      ::nanosleep(&nap, nullptr);
    }
    return Lock(fd);
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::flock(fd_, LOCK_UN);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

Writer::Writer(WriterOptions options)
    : options_(std::move(options)),
      folder_(LogFolder(options_.state_dir)),
      files_(options_.files != nullptr ? *options_.files : HostFiles()) {}

Writer::~Writer() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Expected<void> Writer::Append(std::vector<std::string> bodies) {
  std::unique_lock lock(mutex_);
  if (auto appended = AppendLocked(std::move(bodies)); !appended) return appended;
  ++written_;
  if (options_.resident && !thread_.joinable()) StartThread();
  auto synced = options_.sync == SyncPolicy::kDisk ? Sync(lock) : Expected<void>();
  if (!std::exchange(rotated_, false)) return synced;
  lock.unlock();
  KeepWithin();
  return synced;
}

// Prunes by itself. What cannot go now is looked at again, and told: nobody has asked for it, so that nobody
// would hear an error.
void Writer::KeepWithin() {
  const KeepOptions& keep = options_.keep;
  if (!keep.age_us && !keep.bytes_max) return;
  Retention retention{.bytes_max = keep.bytes_max, .spares = true};
  if (keep.age_us) retention.since_us = WallUs() - *keep.age_us;
  const auto pruned = Prune(folder_, retention, *this);
  RetentionState state = ReadRetentionState(folder_).value_or(RetentionState());
  if (pruned && pruned->segments == 0 && state.trouble.empty()) return;
  state.trouble = pruned ? "" : pruned.error().ToString();
  if (pruned) {
    state.pruned_segments += pruned->segments;
  } else {
    ++state.failures;
    state.last_failure_us = WallUs();
  }
  const auto written = WriteRetentionState(folder_, state);
  if (!options_.tell) return;
  if (!pruned) options_.tell("the audit log cannot be kept within its bounds: " + state.trouble);
  if (!written)
    options_.tell("how the audit log's retention went cannot be noted: " + written.error().ToString());
}

Expected<void> Writer::Checkpoint() {
  std::unique_lock lock(mutex_);
  if (auto opened = Open(); !opened) return opened;
  const auto held = Lock::Take(head_fd_.get(), options_.lock_ms, folder_);
  if (!held) return std::unexpected(held.error());
  std::vector<std::string> bodies;
  if (auto caught = Catch(bodies); !caught) return caught;
  std::string lines;
  Head next = head_;
  for (std::string& body : bodies) lines += Seal(std::move(body), next.last);
  if (next.last.seq == next.checkpoint_seq || next.last.seq == 0) return {};
  if (auto added = AddCheckpoint(lines, next); !added) return added;
  if (auto done = WriteLines(lines); !done) return done;
  next.size = head_.size + static_cast<std::int64_t>(lines.size());
  if (auto done = WriteHead(next); !done) return done;
  ++written_;
  return options_.sync == SyncPolicy::kDisk ? Sync(lock) : Expected<void>();
}

Expected<void> Writer::AppendLocked(std::vector<std::string> bodies) {
  if (auto opened = Open(); !opened) return opened;
  const auto held = Lock::Take(head_fd_.get(), options_.lock_ms, folder_);
  if (!held) return std::unexpected(held.error());
  std::vector<std::string> all;
  if (auto caught = Catch(all); !caught) return caught;
  if (head_.size >= options_.segment_bytes_max) {
    if (options_.sync == SyncPolicy::kDisk && files_.SyncData(segment_fd_->get()) != 0) {
      return Unrecorded("fdatasync " + SegmentPath(folder_, head_.segment), errno);
    }
    if (auto moved = MoveOn(head_.segment + 1, head_.last); !moved) return moved;
    rotated_ = true;
  }
  std::ranges::move(bodies, std::back_inserter(all));
  std::string lines;
  Head next = head_;
  for (std::string& body : all) lines += Seal(std::move(body), next.last);
  if (next.last.seq - next.checkpoint_seq >= options_.checkpoint_every) {
    if (auto added = AddCheckpoint(lines, next); !added) return added;
  }
  if (auto done = WriteLines(lines); !done) return done;
  next.size = head_.size + static_cast<std::int64_t>(lines.size());
  return WriteHead(next);
}

Expected<void> Writer::Open() {
  if (head_fd_.valid() && IsThere(head_fd_.get(), nullptr)) return {};
  caught_up_ = false;
  const std::string path = HeadPath(folder_);
  auto fd = OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd) {
    if (auto made = MakeFolders(folder_, 0700); !made) return Unrecorded(made.error());
    fd = OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  }
  if (!fd) return Unrecorded(fd.error());
  head_fd_ = *std::move(fd);
  return {};
}

// Brings head_ and segment_fd_ to where the log is now; `bodies` gets what is to be recorded about that.
Expected<void> Writer::Catch(std::vector<std::string>& bodies) {
  const std::string text = ReadHeadText(head_fd_.get());
  const std::optional<Head> now = DecodeHead(text);
  if (caught_up_ && now && now->segment == head_.segment) {
    head_ = *now;
    std::int64_t size = 0;
    if (IsThere(segment_fd_->get(), &size) && size == head_.size) return {};
  }
  caught_up_ = false;
  if (now) {
    head_ = *now;
    // A writer may have been killed before it made the segment that it had announced.
    const auto opened = OpenSegment(head_.segment, head_.size == 0);
    std::int64_t size = 0;
    caught_up_ = opened && IsThere(segment_fd_->get(), &size) && size == head_.size && TailMatches();
    if (caught_up_) return {};
    if (!opened && opened.error().code != ErrorCode::kNotFound) return Unrecorded(opened.error());
  }
  auto recovered = text.empty() ? Begin(bodies) : Recover(now, bodies);
  caught_up_ = recovered.has_value();
  return recovered;
}

Expected<void> Writer::OpenSegment(std::int64_t segment, bool create) {
  auto fd =
      OpenFile(SegmentPath(folder_, segment), O_RDWR | O_APPEND | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
  if (!fd) return std::unexpected(std::move(fd.error()));
  if (create && options_.sync == SyncPolicy::kDisk) {
    const auto dir = OpenFile(folder_, O_RDONLY | O_DIRECTORY);
    if (!dir) return std::unexpected(dir.error());
    if (::fsync(dir->get()) != 0) {
      return FailErrno(ErrorCode::kInternal, "the audit log's folder cannot be brought to the disk", "fsync");
    }
  }
  segment_fd_ = std::make_shared<UniqueFd>(*std::move(fd));
  return {};
}

// Announces the segment before it is there, so that no writer is ever in one that `head` does not name.
Expected<void> Writer::MoveOn(std::int64_t segment, const Link& last) {
  Head next = head_;
  next.segment = segment;
  next.size = 0;
  next.last = last;
  if (auto written = WriteHead(next); !written) return written;
  if (auto opened = OpenSegment(segment, true); !opened) return Unrecorded(opened.error());
  // A power cut may bring back an older `head`, but never one of an older segment.
  if (options_.sync == SyncPolicy::kDisk && files_.SyncData(head_fd_.get()) != 0) {
    return Unrecorded("fdatasync " + HeadPath(folder_), errno);
  }
  return {};
}

// Whether the segment ends with the hash that `head` states.
bool Writer::TailMatches() const {
  if (head_.size == 0) return true;
  const std::string expected = head_.last.hash + "\"}\n";
  std::string tail(expected.size(), '\0');
  const ssize_t count =
      ::pread(segment_fd_->get(), tail.data(), tail.size(), head_.size - static_cast<off_t>(expected.size()));
  return count == static_cast<ssize_t>(tail.size()) && tail == expected;
}

Expected<void> Writer::AddCheckpoint(std::string& lines, Head& head) {
  if (!key_) {
    auto key = SigningKey::Load(folder_);
    if (!key) return Unrecorded(key.error());
    key_ = *std::move(key);
  }
  lines += Seal(CheckpointBody(*key_, head.last, FormatTime(WallUs())), head.last);
  head.checkpoint_seq = head.last.seq;
  return {};
}

Expected<void> Writer::WriteLines(const std::string& lines) {
  for (std::size_t done = 0; done < lines.size();) {
    const ssize_t count = files_.Write(segment_fd_->get(), std::string_view(lines).substr(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int err = count < 0 ? errno : EIO;
      // What cannot be taken back is found by the next append.
      (void)!files_.Truncate(segment_fd_->get(), head_.size);
      caught_up_ = false;
      return Unrecorded("write " + SegmentPath(folder_, head_.segment), err);
    }
    done += static_cast<std::size_t>(count);
  }
  return {};
}

Expected<void> Writer::WriteHead(const Head& head) {
  const std::string text = EncodeHead(head);
  const ssize_t count = files_.WriteAt(head_fd_.get(), text, 0);
  if (count != static_cast<ssize_t>(text.size())) {
    const int err = count < 0 ? errno : EIO;
    // The lines are there, but nobody was told so: they must not count.
    (void)!files_.Truncate(segment_fd_ ? segment_fd_->get() : -1, head_.size);
    caught_up_ = false;
    return Unrecorded("pwrite " + HeadPath(folder_), err);
  }
  head_ = head;
  return {};
}

// One fdatasync(2) for all appends that were made before it began.
Expected<void> Writer::Sync(std::unique_lock<std::mutex>& lock) {
  const std::int64_t mine = written_;
  while (synced_ < mine) {
    if (syncing_) {
      synced_changed_.wait(lock);
      continue;
    }
    syncing_ = true;
    const std::int64_t all = written_;
    const std::shared_ptr<UniqueFd> fd = segment_fd_;
    lock.unlock();
    const bool failed = files_.SyncData(fd->get()) != 0;
    const int err = errno;
    lock.lock();
    syncing_ = false;
    synced_changed_.notify_all();
    if (failed) return Unrecorded("fdatasync " + SegmentPath(folder_, head_.segment), err);
    synced_ = all;
  }
  return {};
}

void Writer::StartThread() {
  thread_ = std::thread([this] { Background(); });
}

void Writer::Background() {
  constexpr std::chrono::seconds kSyncEvery{1};
  constexpr std::int64_t kCheckpointEveryUs = 60'000'000;
  constexpr std::int64_t kPruneEveryUs = 3'600'000'000;
  std::int64_t signed_at_us = MonotonicUs();
  std::int64_t pruned_at_us = signed_at_us - kPruneEveryUs;
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    wake_.wait_for(lock, kSyncEvery, [this] { return ending_; });
    last = ending_;
    if (last || MonotonicUs() - signed_at_us >= kCheckpointEveryUs) {
      signed_at_us = MonotonicUs();
      lock.unlock();
      // A log that cannot be written is told by the next run, which is refused.
      (void)Checkpoint();
      lock.lock();
    }
    if (!last && MonotonicUs() - pruned_at_us >= kPruneEveryUs) {
      pruned_at_us = MonotonicUs();
      lock.unlock();
      KeepWithin();
      lock.lock();
    }
    if (synced_ < written_) (void)Sync(lock);
  }
}

}  // namespace casemate::audit
