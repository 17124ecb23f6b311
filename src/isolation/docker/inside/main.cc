// The attendant: the first process of a container of the docker tier. It takes an order (order.h), starts the
// program (program.h), moves bytes between the program's pipes and the wire, and reaps. When the program has
// ended, or is told to, it kills all that is left, tells the wait status, and hands out files of the
// workspace until its own stdin ends. It is not dumpable and outside the program's Landlock domain: the
// program has the same user id, and can neither trace it nor open its descriptors, which are the wire.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <vector>

#include "isolation/docker/inside/cgroup.h"
#include "isolation/docker/inside/files.h"
#include "isolation/docker/inside/program.h"
#include "isolation/wire/inside/channel.h"
#include "isolation/wire/inside/egress_listener.h"

namespace casemate::docker {
namespace {

constexpr std::array kWritableMounts = {"/tmp", "/dev/shm", "/workspace"};
constexpr int kMeasureEveryMs = 50;

// Sums up the file systems of the sandbox's own, not a workspace of the host. Two places may be one of them.
std::string MeasureFiles() {
  unsigned long long bytes = 0;
  unsigned long long files = 0;
  bool full = false;
  std::array<dev_t, kWritableMounts.size()> seen{};
  std::size_t count = 0;
  for (const char* path : kWritableMounts) {
    struct statvfs info {};
    // No inode limit: the host's disk.
    if (statvfs(path, &info) != 0 || info.f_files == 0 || info.f_files > 1ULL << 31) continue;
    struct statvfs above {};
    if (statvfs("/", &above) == 0 && above.f_fsid == info.f_fsid && above.f_blocks == info.f_blocks) continue;
    struct stat place {};
    if (stat(path, &place) != 0 || std::ranges::find(seen, place.st_dev) != seen.end()) continue;
    seen.at(count++) = place.st_dev;
    bytes += (info.f_blocks - info.f_bfree) * info.f_frsize;
    files += info.f_files - info.f_ffree - 1;
    full = full || info.f_bfree == 0 || info.f_ffree == 0;
  }
  return std::to_string(bytes) + " " + std::to_string(files) + (full ? " 1" : " 0");
}

// Bytes on their way to one pipe of the program.
struct Inlet {
  UniqueFd* fd;
  Wire taken;
  std::string waiting;
  bool ends = false;
};

class Attendant {
 public:
  Attendant(WireChannel& channel, Program program, const Cgroup& cgroup, EgressListener& egress)
      : channel_(channel),
        cgroup_(cgroup),
        egress_(egress),
        program_(std::move(program)),
        inlets_{{{&program_.stdin_end, Wire::kStdinTaken, {}, false},
                 {&program_.request_end, Wire::kRequestTaken, {}, false}}} {}

  // Returns the program's wait status, when nothing of it is left.
  int Run() {
    while (!Reap() && !stop_) Turn();
    kill(-1, SIGKILL);
    // Every orphan is ours.
    while (!(wait(nullptr) < 0 && errno == ECHILD)) {
      kill(-1, SIGKILL);
      DrainOnce();
    }
    while (DrainOnce()) {
    }
    egress_.Drain();
    Tell(MeasureFiles());
    TellCounted();
    return status_;
  }

 private:
  bool Reap() {
    int status = 0;
    for (;;) {
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return ended_;
      if (pid != program_.pid) continue;
      status_ = status;
      ended_ = true;
    }
  }

  void Turn() {
    constexpr std::size_t kOwn = 6;
    std::vector<pollfd> entries(kOwn);
    entries[0] = {STDIN_FILENO, POLLIN, 0};
    entries[1] = {program_.stdout_end.get(), POLLIN, 0};
    entries[2] = {program_.stderr_end.get(), POLLIN, 0};
    entries[3] = {program_.result_end.get(), POLLIN, 0};
    for (std::size_t i = 0; i < inlets_.size(); ++i) {
      const Inlet& inlet = inlets_[i];
      // Without events: told when its reader is gone.
      entries[4 + i] = {inlet.fd->get(), static_cast<short>(inlet.waiting.empty() ? 0 : POLLOUT), 0};
    }
    egress_.Watch(entries);
    sigset_t none;
    sigemptyset(&none);
    const timespec patience{0, kMeasureEveryMs * 1'000'000};
    const int ready = ppoll(entries.data(), entries.size(), &patience, &none);
    Measure();
    if (ready <= 0) return;
    if (entries[0].revents != 0) TakeWords();
    DrainOnce();
    for (std::size_t i = 0; i < inlets_.size(); ++i) {
      if (entries[4 + i].revents != 0) Feed(inlets_[i]);
    }
    egress_.Serve(entries.data() + kOwn);
  }

  void Measure() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long long now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
    if (now_ms < next_measure_ms_) return;
    next_measure_ms_ = now_ms + kMeasureEveryMs;
    Tell(MeasureFiles());
    TellCounted();
  }

  void TellCounted() {
    const std::string counted = cgroup_.Count();
    if (counted == told_counted_) return;
    told_counted_ = counted;
    WireChannel::Send(Wire::kCounted, counted);
  }

  void Tell(const std::string& use) {
    if (use == told_use_) return;
    told_use_ = use;
    WireChannel::Send(Wire::kUse, use);
  }

  void TakeWords() {
    channel_.Fill();
    WireChannel::Frame frame;
    while (channel_.Next(frame)) {
      if (frame.kind == Wire::kStop) {
        stop_ = true;
        continue;
      }
      if (frame.kind != Wire::kStdin && frame.kind != Wire::kRequest) {
        if (!egress_.Hear(frame.kind, frame.payload)) WireChannel::Fail(EPROTO, "read the engine's words");
        continue;
      }
      Inlet& inlet = inlets_[frame.kind == Wire::kStdin ? 0 : 1];
      if (!inlet.fd->valid()) continue;
      inlet.ends = inlet.ends || frame.payload.empty();
      inlet.waiting += frame.payload;
      Feed(inlet);
    }
  }

  void Feed(Inlet& inlet) {
    if (!inlet.fd->valid()) return;
    std::size_t taken = 0;
    bool gone = false;
    while (taken < inlet.waiting.size() && !gone) {
      const ssize_t count =
          write(inlet.fd->get(), inlet.waiting.data() + taken, inlet.waiting.size() - taken);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) break;
      if (count < 0) gone = true;
      if (count > 0) taken += static_cast<std::size_t>(count);
    }
    inlet.waiting.erase(0, taken);
    if (taken > 0) WireChannel::Send(inlet.taken, std::to_string(taken));
    if (inlet.waiting.empty() && !inlet.ends && !gone) {
      pollfd entry{inlet.fd->get(), 0, 0};
      gone = poll(&entry, 1, 0) > 0 && (entry.revents & (POLLERR | POLLHUP)) != 0;
    }
    if (gone) WireChannel::Send(inlet.taken, "-");
    if (gone || (inlet.ends && inlet.waiting.empty())) inlet.fd->reset();
  }

  // Takes one piece of each stream; false when none had any.
  bool DrainOnce() {
    const bool out = Drain(program_.stdout_end, Wire::kStdout);
    const bool err = Drain(program_.stderr_end, Wire::kStderr);
    const bool result = Drain(program_.result_end, Wire::kResult);
    return out || err || result;
  }

  bool Drain(UniqueFd& fd, Wire kind) {
    if (!fd.valid()) return false;
    const ssize_t count = read(fd.get(), bytes_.data(), bytes_.size());
    if (count > 0) {
      WireChannel::Send(kind, {bytes_.data(), static_cast<std::size_t>(count)});
      return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) fd.reset();
    return false;
  }

  WireChannel& channel_;
  const Cgroup& cgroup_;
  EgressListener& egress_;
  Program program_;
  std::array<Inlet, 2> inlets_;
  bool ended_ = false;
  bool stop_ = false;
  int status_ = SIGKILL;
  long long next_measure_ms_ = 0;
  std::string told_use_;
  std::string told_counted_;
  std::array<char, kWirePayloadMax> bytes_{};
};

void Wake(int /*signal*/) {}

int RunAttendant(bool counts) {
  // Nothing but ppoll(2) is interrupted by a child's end.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  struct sigaction wake {};
  wake.sa_handler = Wake;
  if (sigprocmask(SIG_BLOCK, &child, nullptr) != 0 || sigaction(SIGCHLD, &wake, nullptr) != 0)
    WireChannel::Fail(errno, "wait for children");
  signal(SIGPIPE, SIG_IGN);
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) WireChannel::Fail(errno, "hide itself from the program");
  const Cgroup cgroup(counts);
  WireChannel::Send(Wire::kReady);
  WireChannel channel;
  Order order = TakeOrder(channel);
  EgressListener egress(order.connections_max);
  Program program = StartProgram(order);
  WireChannel::Send(Wire::kStarted);
  const int status = Attendant(channel, std::move(program), cgroup, egress).Run();
  WireChannel::Send(Wire::kExit, std::to_string(status));
  ServeFiles(channel);
}

}  // namespace
}  // namespace casemate::docker

int main(int argc, char** argv) {
  return casemate::docker::RunAttendant(argc > 1 && std::string_view(argv[1]) == "cgroup");
}
