// Theory of operation: a template.
//
//   QEMU, with two sockets: the guest's control port, and QEMU's own monitor (QMP, its "QEMU Machine
//   Protocol") the guest boots, its init tells that it is ready monitor: migrate into a file that it gets as
//   a descriptor
//
// The guest has run nothing but our own init, so QEMU is not in the walls of a run here; it dies with the
// thread that has started it (setpriv --pdeathsig).
#include "isolation/microvm/template.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/unique_fd.h"
#include "isolation/wire/wire_reader.h"

namespace casemate::microvm {
namespace {

// QEMU's own filter. In the walls of a run the container tier's is there, which lets nobody make another.
constexpr const char* kSandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
constexpr int kMonitorFd = 3;
constexpr int kControlFd = 4;
constexpr std::size_t kConsoleBytes = 600;
constexpr std::size_t kReplyMax = 1 << 20;

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

Expected<SocketPair> MakeSockets() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What QEMU and the guest printed last, in one line.
std::string LastWords(const std::string& console) {
  auto text = ReadFile(console, 1 << 20);
  if (!text) return "";
  std::string last = text->substr(text->size() - std::min(text->size(), kConsoleBytes));
  std::ranges::replace(last, '\n', ' ');
  std::erase(last, '\r');
  return last;
}

class Vm {
 public:
  explicit Vm(std::string console) : console_(std::move(console)) {}
  ~Vm() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  Expected<void> Start(const std::vector<std::string>& words) {
    auto monitor = MakeSockets();
    auto control = MakeSockets();
    if (!monitor || !control) return std::unexpected(monitor ? control.error() : monitor.error());
    auto log = OpenFile(console_, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!log) return std::unexpected(log.error());
    monitor_ = std::move(monitor->ours);
    control_ = std::move(control->ours);
    std::vector<std::string> all{"setpriv", "--pdeathsig", "KILL", "--"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> argv;
    for (std::string& word : all) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Above the numbers that they get, so that none covers another.
    constexpr int kAbove = 20;
    const UniqueFd monitor_end(fcntl(monitor->theirs.get(), F_DUPFD_CLOEXEC, kAbove));
    const UniqueFd control_end(fcntl(control->theirs.get(), F_DUPFD_CLOEXEC, kAbove));
    const UniqueFd log_end(fcntl(log->get(), F_DUPFD_CLOEXEC, kAbove));
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, log_end.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, log_end.get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, monitor_end.get(), kMonitorFd);
    posix_spawn_file_actions_adddup2(&actions, control_end.get(), kControlFd);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    const int failed = posix_spawnp(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == 0) return {};
    pid_ = -1;
    return FailErrno(ErrorCode::kUnavailable, "QEMU cannot be started", "posix_spawn setpriv", failed);
  }

  // The first thing that its init tells.
  Expected<WireFrame> WaitForInit(const Deadline& deadline) {
    WireReader reader(Layers::kBare);
    std::vector<WireFrame> frames;
    while (frames.empty()) {
      std::array<char, 4096> bytes{};
      const ssize_t count = Receive(control_.get(), bytes.data(), bytes.size(), deadline);
      if (count <= 0 || !reader.Feed({bytes.data(), static_cast<std::size_t>(count)}, frames)) {
        return Fail(ErrorCode::kUnavailable,
                    fmt::format("the guest {}; its console may tell why",
                                count == 0 ? "ended while it booted" : "did not boot in time"),
                    LastWords(console_));
      }
    }
    return std::move(frames.front());
  }

  Expected<void> WaitReady(const Deadline& deadline) {
    auto frame = WaitForInit(deadline);
    if (!frame) return std::unexpected(frame.error());
    if (frame->kind == Wire::kReady) return {};
    // "ERRNO what it was doing"
    const std::string what = frame->payload.substr(frame->payload.find(' ') + 1);
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("a guest's init could not {}; if an image is damaged, remove `microvm` of the state "
                    "folder, and all are made anew",
                    what),
        fmt::format("errno {}", frame->payload.substr(0, frame->payload.find(' '))));
  }

  // One command of the monitor; `descriptor` goes with it where it is not -1. The answer's line.
  Expected<std::string> Ask(const std::string& command, const Deadline& deadline, int descriptor = -1) {
    if (!SendWith(command + "\n", descriptor)) return Broken("sendmsg");
    for (;;) {
      auto line = Line(deadline);
      if (!line) return line;
      if (line->find("\"error\":") != std::string::npos)
        return Fail(ErrorCode::kUnavailable, "QEMU cannot save the guest's state",
                    line->substr(0, kConsoleBytes));
      if (line->find("\"return\":") != std::string::npos) return line;
    }
  }

  Expected<std::string> Line(const Deadline& deadline) {
    for (;;) {
      if (const std::size_t end = replies_.find('\n'); end != std::string::npos) {
        std::string line = replies_.substr(0, end);
        replies_.erase(0, end + 1);
        return line;
      }
      std::array<char, 4096> bytes{};
      const ssize_t count = Receive(monitor_.get(), bytes.data(), bytes.size(), deadline);
      if (count <= 0 || replies_.size() > kReplyMax) return Broken("recv");
      replies_.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }

 private:
  static ssize_t Receive(int fd, char* into, std::size_t size, const Deadline& deadline) {
    for (;;) {
      pollfd entry{fd, POLLIN, 0};
      const int ready = poll(&entry, 1, static_cast<int>(deadline.RemainingMs()));
      if (ready < 0 && errno == EINTR) continue;
      return ready <= 0 ? -1 : read(fd, into, size);
    }
  }

  bool SendWith(const std::string& text, int descriptor) const {
    iovec piece{const_cast<char*>(text.data()),
                text.size()};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
      message.msg_control = room.data();
      message.msg_controllen = room.size();
      cmsghdr* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
    }
    return sendmsg(monitor_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }

  std::unexpected<Error> Broken(const char* call) const {
    return Fail(ErrorCode::kUnavailable, "QEMU ended while it saved the guest's state",
                fmt::format("{}: {}", call, LastWords(console_)));
  }

  std::string console_;
  std::string replies_;
  UniqueFd monitor_;
  UniqueFd control_;
  pid_t pid_ = -1;
};

Expected<void> Save(Vm& vm, const std::string& file, const Deadline& deadline) {
  auto greeting = vm.Line(deadline);
  if (!greeting) return std::unexpected(greeting.error());
  auto out = OpenFile(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!out) return std::unexpected(out.error());
  const auto ask = [&](const char* command, int descriptor = -1) {
    return vm.Ask(command, deadline, descriptor);
  };
  auto done = ask(R"({"execute":"qmp_capabilities"})");
  // Not stopped before: the state would say so, and nobody would let the machine go on.
  // The usual bound is for a network.
  if (done) done = ask(R"({"execute":"migrate-set-parameters","arguments":{"max-bandwidth":100000000000}})");
  if (done) done = ask(R"({"execute":"getfd","arguments":{"fdname":"out"}})", out->get());
  if (done) done = ask(R"({"execute":"migrate","arguments":{"uri":"fd:out"}})");
  for (;;) {
    if (done) done = ask(R"({"execute":"query-migrate"})");
    if (!done) return std::unexpected(done.error());
    if (done->find(R"("status": "completed")") != std::string::npos) return {};
    if (done->find(R"("status": "failed")") != std::string::npos || deadline.RemainingMs() == 0) {
      return Fail(ErrorCode::kUnavailable, "QEMU could not write the guest's state: is the disk full?",
                  done->substr(0, kConsoleBytes));
    }
    constexpr useconds_t kPauseUs = 5000;
    usleep(kPauseUs);
  }
}

std::vector<std::string> WordsFor(const Qemu& qemu, const Machine& machine, const MachineFiles& files) {
  std::vector<std::string> words = MachineWords(qemu.path, machine, files);
  for (std::string word :
       {std::string("-sandbox"), std::string(kSandbox), std::string("-chardev"),
        fmt::format("socket,id=control,fd={}", kControlFd), std::string("-chardev"),
        fmt::format("socket,id=monitor,fd={}", kMonitorFd), std::string("-mon"),
        std::string("chardev=monitor,mode=control"), std::string("-serial"), std::string("stdio")})
    words.push_back(std::move(word));
  return words;
}

}  // namespace

Expected<void> MakeTemplate(const Qemu& qemu, const Machine& machine, const MachineFiles& files,
                            std::int64_t timeout_ms, const std::string& console, const std::string& file) {
  const Deadline deadline = Deadline::After(timeout_ms);
  Vm vm(console);
  if (auto started = vm.Start(WordsFor(qemu, machine, files)); !started) return started;
  if (auto ready = vm.WaitReady(deadline); !ready) return ready;
  return Save(vm, file, deadline);
}

Expected<void> TryBoot(const Qemu& qemu, const Machine& machine, const MachineFiles& files,
                       std::int64_t timeout_ms, const std::string& console) {
  Vm vm(console);
  if (auto started = vm.Start(WordsFor(qemu, machine, files)); !started) return started;
  auto frame = vm.WaitForInit(Deadline::After(timeout_ms));
  if (!frame) return std::unexpected(frame.error());
  return {};
}

}  // namespace casemate::microvm
