// Theory of operation: one thread, one poll(2) loop. Every 10 ms it reads the kernel's counters; in between
// it moves bytes. A warm cell that tells its program's end is answered for at once, and dies behind our back.
// The first reason to end the run is kept and no later one overwrites it. When the pidfd of the sandbox's
// init is readable, nothing of the sandbox lives any more: the pipes have no writer left, so what is still in
// them is read to the end and cannot grow.
#include "supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/awake.h"
#include "base/clock.h"
#include "base/window_size.h"
#include "supervise/pump.h"
#include "supervise/verdict.h"

namespace casemate {
namespace {

constexpr std::int64_t kTickUs = 10'000;
// Between two looks that the result channel asks for.
constexpr std::int64_t kLookUs = 1000;
constexpr std::size_t kReadChunk = 65536;
// More than the kernel keeps for a terminal that nobody reads.
constexpr int kTerminalPieces = 1024;

// Of the time after a start in which the supervisor does not sleep: most steps and warm runs end in it.
constexpr std::int64_t kAwakeForStepUs = 150;
constexpr std::int64_t kAwakeForRunUs = 500;

class Watch {
 public:
  Watch(Sandbox& sandbox, const Limits& limits, const RunInput& input, RunObserver& observer)
      : sandbox_(sandbox),
        limits_(limits),
        observer_(observer),
        start_us_(sandbox.started_at_us()),
        deadline_(Deadline::AtUs(start_us_ + limits.wall_time_ms * 1000)),
        next_tick_us_(start_us_ + kTickUs),
        stdout_(limits.stdout_bytes_max, input.keep_streams),
        stderr_(limits.stderr_bytes_max, input.keep_streams),
        request_(input.request_bytes, -1),
        stdin_(input.stdin_bytes, input.stdin_fd),
        cancel_fd_(input.cancel_fd),
        until_gone_(input.until_gone),
        step_(input.step),
        awake_until_us_(start_us_ + AwakeUs()),
        terminal_(input.terminal),
        // POLLHUP and POLLERR are always told.
        cancel_events_(static_cast<short>(input.cancel_on_hang_up ? POLLRDHUP : POLLIN)) {}

  Outcome Run() {
    const SigpipeGuard guard;
    CloseIfIdle(Channel::kRequest, request_);
    CloseIfIdle(Channel::kStdin, stdin_);
    while (!Turn()) {
    }
    return Finish();
  }

 private:
  // What a poll entry is about.
  enum Slot { kExit, kCancel, kDenial, kOut, kErr, kResult, kRequestIn, kStdinIn, kResized, kSlots };

  std::int64_t AwakeUs() const {
    return step_ ? kAwakeForStepUs : sandbox_.may_be_awaited() ? kAwakeForRunUs : 0;
  }

  void EndFor(Status reason) {
    if (!killed_for_) killed_for_ = reason;
    sandbox_.Kill();
  }

  void CloseIfIdle(Channel channel, const Feeder& feeder) {
    if (!feeder.HasBytes() && feeder.source_fd() < 0) sandbox_.CloseChannel(channel);
  }

  // A feeder waits for its sandbox when it has bytes, for its source when it has none.
  pollfd EntryOf(const Feeder& feeder, Channel channel) const {
    const int to = sandbox_.ChannelFd(channel);
    if (to < 0) return {-1, 0, 0};
    return feeder.HasBytes() ? pollfd{to, POLLOUT, 0} : pollfd{feeder.source_fd(), POLLIN, 0};
  }

  std::array<pollfd, kSlots> Entries() const {
    std::array<pollfd, kSlots> entries{};
    entries[kExit] = {sandbox_.exit_fd(), POLLIN, 0};
    entries[kCancel] = {killed_for_ ? -1 : cancel_fd_, cancel_events_, 0};
    entries[kDenial] = {sandbox_.denial_fd(), POLLIN, 0};
    entries[kOut] = {sandbox_.ChannelFd(Channel::kStdout), POLLIN, 0};
    entries[kErr] = {sandbox_.ChannelFd(Channel::kStderr), POLLIN, 0};
    entries[kResult] = {sandbox_.ChannelFd(Channel::kResult), POLLIN, 0};
    entries[kRequestIn] = EntryOf(request_, Channel::kRequest);
    entries[kStdinIn] = EntryOf(stdin_, Channel::kStdin);
    entries[kResized] = {terminal_.resized_fd, POLLIN, 0};
    return entries;
  }

  // One turn of the loop; true when the sandbox is gone.
  bool Turn() {
    std::array<pollfd, kSlots> entries = Entries();
    int ready = PollAwake(entries, awake_until_us_);
    if (ready == 0) ready = poll(entries.data(), entries.size(), WaitMs());
    if (ready < 0 && errno != EINTR) EndFor(Status::kFailed);
    Tick();
    if (ready <= 0) return false;
    if (entries[kCancel].revents != 0) EndFor(Status::kCancelled);
    if (entries[kDenial].revents != 0) TakeDenials();
    if (entries[kOut].revents != 0) ReadStdout();
    if (entries[kErr].revents != 0) ReadStderr();
    if (entries[kResult].revents != 0) ReadResult();
    if (entries[kRequestIn].revents != 0) Advance(request_, Channel::kRequest);
    if (entries[kStdinIn].revents != 0) Advance(stdin_, Channel::kStdin);
    if (entries[kResized].revents != 0) Resize();
    return entries[kExit].revents != 0 || (told_exit_ && !until_gone_);
  }

  int WaitMs() const {
    const std::int64_t until = killed_for_ ? next_tick_us_ : std::min(next_tick_us_, deadline_.at_us());
    return static_cast<int>(std::clamp<std::int64_t>((until - MonotonicUs() + 999) / 1000, 0, 1000));
  }

  void Tick() {
    const std::int64_t now = MonotonicUs();
    if (!killed_for_ && now >= deadline_.at_us()) EndFor(Status::kTimeout);
    if (now < next_tick_us_) return;
    next_tick_us_ = now + kTickUs;
    const ResourceReading reading = Look();
    if (killed_for_) {
      sandbox_.Kill();  // until it is gone
    } else if (const auto exceeded = LimitExceeded(reading, limits_)) {
      EndFor(*exceeded);
    }
  }

  ResourceReading Look(ResourceReading (Sandbox::*read)() = &Sandbox::Read) {
    last_look_us_ = MonotonicUs();
    const ResourceReading reading = (sandbox_.*read)();
    tmp_peak_ = std::max(tmp_peak_, reading.tmp_bytes);
    return reading;
  }

  void Advance(Feeder& feeder, Channel channel) {
    const bool more = feeder.HasBytes() ? feeder.Feed(sandbox_.ChannelFd(channel)) : feeder.Refill();
    if (!more) sandbox_.CloseChannel(channel);
  }

  void Resize() {
    std::uint64_t count = 0;
    (void)!read(terminal_.resized_fd, &count, sizeof count);
    CopyWindowSize(terminal_.size_fd, sandbox_.ChannelFd(Channel::kStdout));
  }

  // Reads one piece of a channel; nothing at its end or when it has nothing.
  std::string_view ReadPiece(Channel channel) {
    for (;;) {
      const ssize_t count = read(sandbox_.ChannelFd(channel), buffer_.data(), buffer_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return {};
      if (count <= 0) {
        sandbox_.CloseChannel(channel);
        return {};
      }
      return {buffer_.data(), static_cast<std::size_t>(count)};
    }
  }

  bool ReadStdout() {
    const std::string_view piece = ReadPiece(Channel::kStdout);
    const std::string_view kept = stdout_.Take(piece);
    if (!kept.empty()) observer_.OnStdout(kept);
    if (stdout_.over() && !killed_for_) EndFor(Status::kOutputLimit);
    return !piece.empty();
  }

  bool ReadStderr() {
    const std::string_view piece = ReadPiece(Channel::kStderr);
    const std::string_view kept = stderr_.Take(piece);
    if (!kept.empty()) observer_.OnStderr(kept);
    if (stderr_.over() && !killed_for_) EndFor(Status::kOutputLimit);
    return !piece.empty();
  }

  bool ReadResult() {
    const std::string_view piece = ReadPiece(Channel::kResult);
    if (piece.empty()) return false;
    // More than any honest harness could say; who still writes is not heard.
    result_bytes_ += static_cast<std::int64_t>(piece.size());
    if (result_bytes_ > result_bytes_max_) {
      sandbox_.CloseChannel(Channel::kResult);
      return false;
    }
    observer_.OnResultBytes(piece);
    if (!told_exit_ && (!killed_for_ || step_) && sandbox_.writes_directly()) TakeExit();
    // The program has something to tell, perhaps that it failed: look before it cleans up behind itself.
    if (!told_exit_ && MonotonicUs() - last_look_us_ > kLookUs) Look();
    return true;
  }

  // All that the program itself has written is in the pipes by now: it told its end after that.
  void TakeExit() {
    told_exit_ = observer_.exit_code_told();
    if (!told_exit_) return;
    // Now: counters are slow to read while the kernel takes apart what they count.
    at_exit_ = Look(&Sandbox::ReadAtEnd);
    if (!step_) sandbox_.Kill();
    if (step_ && at_exit_.memory_over) {  // seen by nobody else before the next step
      told_exit_.reset();
      EndFor(Status::kMemoryLimit);
    }
  }

  void TakeDenials() {
    Sandbox::Refusals refusals = sandbox_.TakeRefusals();
    for (Denial& denial : refusals.denials) {
      const auto same = std::ranges::find_if(denials_, [&denial](const Denial& known) {
        return known.kind == denial.kind && known.what == denial.what;
      });
      if (same != denials_.end()) {
        same->count += denial.count;
      } else {
        observer_.OnDenial(denial);
        denials_.push_back(std::move(denial));
      }
    }
    if (refusals.fatal && !killed_for_) EndFor(Status::kDenied);
  }

  // Reads what was in the pipe when the sandbox ended, and no more: a program may have handed its end to
  // another run through a folder that both share, and that one could write for ever.
  void Drain(Channel channel, bool (Watch::*read_piece)()) {
    const int fd = sandbox_.ChannelFd(channel);
    if (fd < 0 || !(this->*read_piece)() || sandbox_.ChannelFd(channel) < 0) return;
    const int pipe_bytes = fcntl(fd, F_GETPIPE_SZ);
    // Each piece but the last is full, or the pipe is empty. A terminal is no pipe, and gives small ones.
    int pieces = pipe_bytes < 0 ? kTerminalPieces : pipe_bytes / static_cast<int>(kReadChunk) + 1;
    for (; pieces > 0; --pieces) {
      if (!(this->*read_piece)() || sandbox_.ChannelFd(channel) < 0) return;
    }
  }

  Outcome Finish() {
    Outcome outcome;
    // The program's own deadline ends here: draining is ours.
    outcome.usage.wall_ms = (MonotonicUs() - start_us_ + 500) / 1000;
    if (told_exit_) {
      outcome.exit.exit_code = told_exit_;
    } else {
      outcome.exit = sandbox_.Exit();
    }
    Drain(Channel::kStdout, &Watch::ReadStdout);
    Drain(Channel::kStderr, &Watch::ReadStderr);
    Drain(Channel::kResult, &Watch::ReadResult);
    outcome.reading = told_exit_ ? at_exit_ : sandbox_.Read();
    outcome.status = Decide({killed_for_, outcome.exit, outcome.reading}, limits_);
    outcome.truncated.stdout_cut = stdout_.over();
    outcome.truncated.stderr_cut = stderr_.over();
    outcome.usage.cpu_ms = outcome.reading.cpu_time_us / 1000;
    outcome.usage.memory_peak_bytes = outcome.reading.memory_peak_bytes;
    outcome.usage.processes_peak = outcome.reading.processes_peak;
    outcome.usage.tmp_peak_bytes = std::max(tmp_peak_, outcome.reading.tmp_bytes);
    outcome.usage.stdout_bytes = stdout_.seen();
    outcome.usage.stderr_bytes = stderr_.seen();
    outcome.stdout_text = stdout_.TakeText();
    outcome.stderr_text = stderr_.TakeText();
    outcome.denials = std::move(denials_);
    return outcome;
  }

  Sandbox& sandbox_;
  const Limits& limits_;
  RunObserver& observer_;
  std::int64_t start_us_;
  Deadline deadline_;
  std::int64_t next_tick_us_;
  CappedStream stdout_;
  CappedStream stderr_;
  Feeder request_;
  Feeder stdin_;
  int cancel_fd_;
  bool until_gone_;
  bool step_;
  std::int64_t awake_until_us_;
  Terminal terminal_;
  short cancel_events_;
  std::optional<int> told_exit_;
  ResourceReading at_exit_;  // when it was told
  std::optional<Status> killed_for_;
  std::vector<Denial> denials_;
  std::int64_t tmp_peak_ = 0;
  std::int64_t last_look_us_ = 0;
  std::int64_t result_bytes_ = 0;
  // Twice what the harness may send: JSON escapes and base64 included.
  const std::int64_t result_bytes_max_ =
      2 * (limits_.result_bytes_max + 2 * limits_.displays_bytes_max) + kMiB;
  std::array<char, kReadChunk> buffer_;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
};

}  // namespace

Outcome Supervise(Sandbox& sandbox, const Limits& limits, const RunInput& input, RunObserver& observer) {
  return Watch(sandbox, limits, input, observer).Run();
}

}  // namespace casemate
