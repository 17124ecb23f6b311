#include "isolation/docker/carrier.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/quiet_pipes.h"
#include "base/utf8.h"

namespace casemate::docker {
namespace {

// Between a polite stop and the end of the container, and between attempts at that.
constexpr std::int64_t kStopUs = 1'000'000;
constexpr int kHardKillsMax = 8;
// An outlet that holds so much makes its program wait.
constexpr std::size_t kWaitingMax = 1 << 20;
constexpr int kTurnMs = 100;

// An attendant lists 100 000 files at most, and a file that nobody writes any more does not grow. Behind it
// may be a guest whose kernel is not ours any more.
constexpr std::size_t kListedBytesMax = 32 << 20;

std::unexpected<Error> TellsTooMuch() {
  return Fail(ErrorCode::kUnavailable,
              "the files cannot be collected: the sandbox tells more of them than can be; collect fewer");
}

void Signal(int event) {
  const std::uint64_t one = 1;
  (void)!write(event, &one, sizeof(one));
}

std::size_t Number(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

Carrier::Carrier(Line line, Ends ends, std::string order, HardKill hard_kill)
    : reader_(line.layers),
      outgoing_(std::move(order)),
      inlets_{{{std::move(ends.stdin_end), Wire::kStdin}, {std::move(ends.request_end), Wire::kRequest}}},
      outlets_{{{std::move(ends.stdout_end), {}},
                {std::move(ends.stderr_end), {}},
                {std::move(ends.result_end), {}}}},
      hard_kill_(std::move(hard_kill)),
      early_(std::move(line.early)),
      stream_(std::move(line.in)),
      stream_out_(std::move(line.out)),
      broken_off_(line.broken),
      stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      exit_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ends.handover.valid()) return;
  connections_.emplace(std::move(ends.handover), ends.network,
                       [this](Wire kind, std::string_view payload) { CarryOut(kind, payload); });
}

Carrier::~Carrier() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

void Carrier::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Carrier::Watch(int pidfd) { pidfd_ = pidfd; }

void Carrier::Stop() noexcept {
  asked_to_stop_ = true;
  Signal(stop_event_.get());
}

void Carrier::Close() {
  if (thread_.joinable()) thread_.join();
  stream_.reset();
  stream_out_.reset();
}

std::optional<Carrier::NotStarted> Carrier::WaitStarted(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  const bool told =
      start_told_.wait_for(lock, std::chrono::milliseconds(deadline.RemainingMs()), [this] { return told_; });
  if (!told) return NotStarted{ETIMEDOUT, "start in time"};
  if (started_) return std::nullopt;
  return reason_;
}

void Carrier::TellStart(NotStarted reason, bool started) {
  const std::lock_guard lock(mutex_);
  if (told_) return;
  told_ = true;
  started_ = started;
  reason_ = std::move(reason);
  start_told_.notify_all();
}

ExitReport Carrier::Exit() {
  if (thread_.joinable()) thread_.join();  // it has nothing more to do
  ExitReport report;
  if (!wait_status_) {
    report.signal = SIGKILL;
    report.init_failed = !asked_to_stop_;
  } else if (WIFEXITED(*wait_status_)) {
    report.exit_code = WEXITSTATUS(*wait_status_);
  } else {
    report.signal = WTERMSIG(*wait_status_);
  }
  return report;
}

bool Carrier::Flushed() const {
  return std::ranges::all_of(outlets_, [](const Outlet& outlet) { return outlet.waiting.empty(); });
}

void Carrier::Run() {
  // Signals are for the threads that wait for them; a pipe without a reader is an error of write(2).
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  if (!early_.empty()) {
    std::vector<WireFrame> frames;
    if (!reader_.Feed(early_, frames)) Lose();
    for (WireFrame& frame : frames) (void)TakeFrame(frame);
  }
  while (!done_ || !Flushed()) Turn();
  // Their readers see the end.
  connections_.reset();
  for (Outlet& outlet : outlets_) outlet.fd.reset();
  for (Inlet& inlet : inlets_) inlet.fd.reset();
  Signal(exit_event_.get());
}

void Carrier::Turn() {
  constexpr std::size_t kOwn = 9;
  std::vector<pollfd> entries(kOwn);
  const bool room =
      std::ranges::all_of(outlets_, [](const Outlet& outlet) { return outlet.waiting.size() < kWaitingMax; });
  short on_stream = room && !done_ ? POLLIN : 0;
  if (!outgoing_.empty() && !done_) on_stream = static_cast<short>(on_stream | POLLOUT);
  const short out = stream_out_.valid() ? POLLOUT : 0;
  entries[0] = {lost_ || on_stream == out ? -1 : stream_.get(), static_cast<short>(on_stream & ~out), 0};
  entries[8] = {lost_ || (on_stream & out) == 0 ? -1 : stream_out_.get(), out, 0};
  entries[1] = {stop_event_.get(), POLLIN, 0};
  entries[2] = {done_ ? -1 : pidfd_.load(), POLLIN, 0};
  for (std::size_t i = 0; i < inlets_.size(); ++i)
    entries[3 + i] = {inlets_[i].window > 0 && !done_ ? inlets_[i].fd.get() : -1, POLLIN, 0};
  for (std::size_t i = 0; i < outlets_.size(); ++i)
    entries[5 + i] = {outlets_[i].waiting.empty() ? -1 : outlets_[i].fd.get(), POLLOUT, 0};
  if (connections_ && !done_ && !lost_) connections_->Watch(entries);
  poll(entries.data(), entries.size(), kTurnMs);

  if ((entries[0].revents & ~POLLOUT) != 0) ReadStream();
  if (((entries[0].revents | entries[8].revents) & POLLOUT) != 0) WriteStream();
  if (entries[1].revents != 0) {
    std::uint64_t count = 0;
    (void)!read(stop_event_.get(), &count, sizeof(count));
  }
  // Nothing lives any more; what it said is on the stream until that ends.
  if (entries[2].revents != 0 && (entries[0].revents & POLLIN) == 0) {
    if (lost_) done_ = true;
    pidfd_ = -1;
    dead_at_us_ = MonotonicUs();
  }
  for (std::size_t i = 0; i < inlets_.size(); ++i) {
    if (entries[3 + i].revents != 0) FeedFrom(inlets_[i]);
  }
  for (std::size_t i = 0; i < outlets_.size(); ++i) {
    if (entries[5 + i].revents != 0) WriteOutlet(outlets_[i]);
  }
  if (entries.size() > kOwn) {
    connections_->Serve(entries.data() + kOwn);
    if (!outgoing_.empty()) WriteStream();
  }
  HoldToStop();
}

// Asks the attendant first, which keeps the program's files; then the kernel or the Docker Engine.
void Carrier::HoldToStop() {
  const std::int64_t now = MonotonicUs();
  if (dead_at_us_ > 0 && now > dead_at_us_ + kStopUs) lost_ = done_ = true;
  if ((!asked_to_stop_ && !lost_) || done_) return;
  if (!stopping_) {
    stopping_ = true;
    stop_until_us_ = now + kStopUs;
    outgoing_ += EncodeWire(Wire::kStop);
    if (!lost_) WriteStream();
  }
  if (!lost_ && now < stop_until_us_) return;
  if (lost_ && hard_kills_ > 0 && now < stop_until_us_) return;
  const bool certain = hard_kill_();
  ++hard_kills_;
  stop_until_us_ = now + kStopUs;
  if ((certain && lost_) || hard_kills_ >= kHardKillsMax) {
    done_ = true;
    TellStart({0, reader_.complaint()}, false);
  }
}

// The stream is over before the attendant said that the program is: its container is gone, or the Docker
// Engine. Either way nobody could tell what the program does from here on.
void Carrier::Lose() {
  lost_ = true;
  TellStart({0, reader_.complaint()}, false);
  const bool certain = hard_kill_();
  ++hard_kills_;
  if (certain) {
    done_ = true;
    return;
  }
  stopping_ = true;
  stop_until_us_ = MonotonicUs() + kStopUs;
}

void Carrier::ReadStream() {
  std::array<char, 65536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count = read(stream_.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  std::vector<WireFrame> frames;
  const bool good = count > 0 && reader_.Feed({bytes.data(), static_cast<std::size_t>(count)}, frames);
  for (WireFrame& frame : frames) {
    if (!TakeFrame(frame)) return;
  }
  if (!good && !done_) Lose();
}

void Carrier::TakeOutput(Outlet& outlet, const std::string& bytes) {
  if (!outlet.fd.valid()) return;
  outlet.waiting += bytes;
  WriteOutlet(outlet);
}

// False when nothing more of the stream is to be read here.
bool Carrier::TakeFrame(WireFrame& frame) {
  if (frame.kind == Wire::kExit) {
    wait_status_ = static_cast<int>(Number(frame.payload));
    done_ = true;
    return false;
  }
  if (Connections::IsOf(frame.kind)) {
    if (connections_ && connections_->Hear(frame)) return true;
    if (!lost_ && !done_) Lose();
    return false;
  }
  if (frame.kind == Wire::kStarted) {
    TellStart({}, true);
  } else if (frame.kind == Wire::kFailed) {
    const std::size_t space = std::min(frame.payload.find(' '), frame.payload.size());
    TellStart({static_cast<int>(Number(frame.payload)),
               frame.payload.substr(std::min(space + 1, frame.payload.size()))},
              false);
  } else if (frame.kind == Wire::kStdout) {
    TakeOutput(outlets_[0], frame.payload);
  } else if (frame.kind == Wire::kStderr) {
    TakeOutput(outlets_[1], frame.payload);
  } else if (frame.kind == Wire::kResult) {
    TakeOutput(outlets_[2], frame.payload);
  } else if (frame.kind == Wire::kStdinTaken) {
    TakeCredit(inlets_[0], frame.payload);
  } else if (frame.kind == Wire::kRequestTaken) {
    TakeCredit(inlets_[1], frame.payload);
  } else if (frame.kind == Wire::kUse) {
    TakeUse(frame.payload);
  } else if (frame.kind == Wire::kCounted) {
    TakeCounted(frame.payload);
  }
  return true;
}

void Carrier::TakeCredit(Inlet& inlet, const std::string& payload) {
  if (payload == "-") {
    inlet.fd.reset();
  } else {
    inlet.window = std::min(kWindow, inlet.window + Number(payload));
  }
}

void Carrier::TakeUse(const std::string& payload) {
  const std::size_t first = std::min(payload.find(' '), payload.size());
  const std::size_t second = std::min(payload.find(' ', first + 1), payload.size());
  tmp_bytes_ = static_cast<std::int64_t>(Number(payload));
  tmp_files_ = static_cast<std::int64_t>(
      Number(std::string_view(payload).substr(std::min(first + 1, payload.size()))));
  if (payload.ends_with('1') && second < payload.size()) tmp_full_ = true;
}

void Carrier::TakeCounted(const std::string& payload) {
  std::array<std::int64_t, 4> numbers{};
  std::string_view left = payload;
  for (std::int64_t& number : numbers) {
    number = static_cast<std::int64_t>(std::min<std::size_t>(Number(left), INT64_MAX));
    const std::size_t space = left.find(' ');
    left = space == std::string_view::npos ? std::string_view() : left.substr(space + 1);
  }
  const std::lock_guard lock(mutex_);
  counted_ = {numbers[0], numbers[1], numbers[2], numbers[3]};
}

Carrier::Counted Carrier::counted() const {
  const std::lock_guard lock(mutex_);
  return counted_;
}

void Carrier::FeedFrom(Inlet& inlet) {
  std::array<char, kWindow> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t count = read(inlet.fd.get(), bytes.data(), std::min(inlet.window, bytes.size()));
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) {
    inlet.fd.reset();
    outgoing_ += EncodeWire(inlet.kind);
  } else {
    inlet.window -= static_cast<std::size_t>(count);
    outgoing_ += EncodeWire(inlet.kind, {bytes.data(), static_cast<std::size_t>(count)});
  }
  WriteStream();
}

ssize_t Carrier::Send(std::string_view bytes) const {
  if (!stream_out_.valid())
    return send(stream_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return write(stream_out_.get(), bytes.data(), bytes.size());
}

void Carrier::CarryOut(Wire kind, std::string_view payload) { outgoing_ += EncodeWire(kind, payload); }

void Carrier::WriteStream() {
  std::size_t sent = 0;
  while (sent < outgoing_.size()) {
    const ssize_t count = Send(std::string_view(outgoing_).substr(sent));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  outgoing_.erase(0, sent);
}

// The supervisor's end may be closed already: then nobody wants the rest.
void Carrier::WriteOutlet(Outlet& outlet) {
  std::size_t written = 0;
  while (written < outlet.waiting.size()) {
    const ssize_t count =
        write(outlet.fd.get(), outlet.waiting.data() + written, outlet.waiting.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {
      outlet.fd.reset();
      outlet.waiting.clear();
      return;
    }
    written += static_cast<std::size_t>(count);
  }
  outlet.waiting.erase(0, written);
}

Expected<WireFrame> Carrier::NextFrame(const Deadline& deadline) {
  while (frames_.empty()) {
    pollfd entry{stream_.get(), POLLIN, 0};
    const int ready = poll(&entry, 1, static_cast<int>(deadline.RemainingMs()));
    if (ready < 0 && errno == EINTR) continue;
    std::array<char, 65536> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
    const ssize_t count = ready <= 0 ? -1 : read(stream_.get(), bytes.data(), bytes.size());
    if (count < 0 && ready > 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0 || !reader_.Feed({bytes.data(), static_cast<std::size_t>(count)}, frames_)) {
      return Fail(ErrorCode::kUnavailable, fmt::format("the files cannot be collected: {}", broken_off_));
    }
  }
  WireFrame frame = std::move(frames_.front());
  frames_.erase(frames_.begin());
  return frame;
}

Expected<std::vector<OutputFile>> Carrier::Collect(const Sandbox::WantedFile& wanted,
                                                   std::int64_t bytes_max) {
  constexpr std::int64_t kPatienceMs = 30'000;
  if (thread_.joinable()) thread_.join();
  const QuietPipes quiet;
  std::vector<OutputFile> files;
  // Its file systems went with it.
  if (!wait_status_) return files;
  const Deadline deadline = Deadline::After(kPatienceMs);
  outgoing_ = EncodeWire(Wire::kList);
  WriteStream();
  std::vector<std::size_t> places;
  std::size_t listed_bytes = 0;
  for (std::size_t place = 0;; ++place) {
    auto frame = NextFrame(deadline);
    if (!frame) return std::unexpected(frame.error());
    if (frame->kind == Wire::kListEnd) break;
    listed_bytes += frame->payload.size();
    if (listed_bytes > kListedBytesMax) return TellsTooMuch();
    const std::size_t space = frame->payload.find(' ');
    if (frame->kind != Wire::kListed || space == std::string::npos) continue;
    const std::string name = frame->payload.substr(space + 1);
    if (!wanted(name)) continue;
    OutputFile file;
    file.name = ReplaceInvalidUtf8(name);
    file.size_bytes = static_cast<std::int64_t>(Number(frame->payload));
    files.push_back(std::move(file));
    places.push_back(place);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    OutputFile& file = files[i];
    bytes_max = std::max<std::int64_t>(0, bytes_max - static_cast<std::int64_t>(file.name.size()));
    file.truncated = file.size_bytes > bytes_max;
    if (file.truncated) continue;
    outgoing_ = EncodeWire(Wire::kFetch, std::to_string(places[i]));
    WriteStream();
    for (;;) {
      auto frame = NextFrame(deadline);
      if (!frame) return std::unexpected(frame.error());
      if (frame->kind == Wire::kContentEnd) break;
      if (frame->kind != Wire::kContent) continue;
      file.bytes += frame->payload;
      if (static_cast<std::int64_t>(file.bytes.size()) > file.size_bytes) return TellsTooMuch();
    }
    file.size_bytes = static_cast<std::int64_t>(file.bytes.size());
    bytes_max -= file.size_bytes;
  }
  std::ranges::sort(files, {}, &OutputFile::name);
  return files;
}

}  // namespace casemate::docker
