#include "batch/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "base/errno.h"
#include "base/file.h"
#include "batch/json_members.h"
#include "batch/line_reader.h"

namespace casemate {
namespace {

constexpr std::string_view kHeader = "casemate-batch-journal 1";
constexpr std::size_t kHashDigits = 16;
// A result line, whose parts have limits of their own, all of them at their largest.
constexpr std::size_t kLineBytesMax = std::size_t{1} << 31U;

// The number at the start of `text`, which it is cut off with the space behind; 0 when there is none.
std::int64_t TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

bool TakeRecord(const Line& line, FormerRun& former) {
  std::string_view rest = line.text;
  if (rest.size() < 2 || rest[1] != ' ') return false;
  const char kind = rest[0];
  rest.remove_prefix(2);
  const std::int64_t number = TakeNumber(rest);
  if (number < 1) return false;
  if (kind == 'B' && rest.size() == kHashDigits) {
    former.MarkBegun(number, rest);
    return true;
  }
  if (kind != 'R') return false;
  const std::string_view status = FindMember(FindMember(rest, "result"), "status");
  const auto known = ParseStatus(Unquote(status));
  const auto size = static_cast<std::int64_t>(rest.size());
  if (known) former.MarkHeld(number, {line.end_offset - 1 - size, size, *known});
  return known.has_value();
}

}  // namespace

Expected<std::unique_ptr<Journal>> Journal::Open(const std::string& path, Mode mode, FormerRun& former) {
  const int create = mode == Mode::kFresh ? O_CREAT : 0;
  auto fd = OpenFile(path, O_RDWR | O_APPEND | O_NOFOLLOW | create, 0600);
  if (!fd && fd.error().code == ErrorCode::kNotFound && mode == Mode::kResume) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} is not there, and without it nobody knows which items had begun: start afresh "
                    "with another --output",
                    path));
  }
  if (!fd) return std::unexpected(fd.error());
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return FailErrno(ErrorCode::kInvalidRequest,
                     "another batch writes to this output: wait for it, or choose another --output",
                     "flock " + path);
  }
  std::unique_ptr<Journal> journal(new Journal(*std::move(fd), path));
  if (mode == Mode::kResume) {
    if (auto loaded = journal->Load(former); !loaded) return std::unexpected(loaded.error());
    return journal;
  }
  if (::ftruncate(journal->fd_.get(), 0) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot empty " + path, "ftruncate");
  }
  auto written = WriteAll(journal->fd_.get(), fmt::format("{}\n", kHeader), path);
  if (!written) return std::unexpected(written.error());
  return journal;
}

Expected<void> Journal::Load(FormerRun& former) {
  LineReader reader(fd_.get(), path_, kLineBytesMax);
  std::int64_t good = 0;
  for (;;) {
    const auto line = reader.Next();
    if (!line) return std::unexpected(line.error());
    if (!*line || !(*line)->ended_by_newline) break;
    const bool known = (*line)->number == 1 ? (*line)->text == kHeader : TakeRecord(**line, former);
    if (!known) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("line {} of {} is none that a batch writes: start afresh with another --output",
                              (*line)->number, path_));
    }
    good = (*line)->end_offset;
  }
  if (::ftruncate(fd_.get(), good) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot mend " + path_, "ftruncate");
  }
  // Killed before even the first line was whole: nothing had begun.
  return good == 0 ? WriteAll(fd_.get(), fmt::format("{}\n", kHeader), path_) : Expected<void>();
}

Expected<void> Journal::Begin(std::int64_t number, std::string_view request_sha256) {
  const std::string record = fmt::format("B {} {}\n", number, request_sha256.substr(0, kHashDigits));
  std::unique_lock lock(mutex_);
  if (auto written = WriteAll(fd_.get(), record, path_); !written) return written;
  const std::int64_t mine = ++written_;
  while (synced_ < mine) {
    if (syncing_) {
      synced_changed_.wait(lock);
      continue;
    }
    syncing_ = true;
    const std::int64_t all = written_;
    lock.unlock();
    const bool failed = ::fdatasync(fd_.get()) != 0;
    const int err = errno;
    lock.lock();
    syncing_ = false;
    synced_changed_.notify_all();
    if (failed) {
      return FailErrno(ErrorCode::kInternal, path_ + " cannot be brought to the disk", "fdatasync", err);
    }
    synced_ = all;
  }
  return {};
}

Expected<void> Journal::Hold(std::int64_t number, std::string_view line) {
  const std::string record = fmt::format("R {} {}\n", number, line);
  const std::lock_guard lock(mutex_);
  return WriteAll(fd_.get(), record, path_);
}

Expected<std::string> Journal::ReadHeld(const FormerRun& former, std::int64_t number) const {
  const HeldLine held = former.Held(number).value_or(HeldLine{});
  std::string line(static_cast<std::size_t>(held.size), '\0');
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t count =
        ::pread(fd_.get(), line.data() + done, line.size() - done, held.offset + static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return FailErrno(ErrorCode::kInternal, "cannot read back " + path_, "pread", count < 0 ? errno : EIO);
    }
    done += static_cast<std::size_t>(count);
  }
  return line;
}

}  // namespace casemate
