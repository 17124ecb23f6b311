#include "surfaces/cli/serve_sinks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>

#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace {

constexpr int kFirstPauseMs = 1'000;
constexpr int kLongestPauseMs = 30'000;
constexpr int kLifeline = 3;

std::string BesideUs(std::string_view name) {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  std::string path(own.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  path.replace(path.rfind('/') + 1, std::string::npos, name);
  return path;
}

struct Started {
  UniqueFd lifeline;  // its end is the process's sign to end
  UniqueFd process;
  pid_t pid = -1;
};

// An errno when it fails.
std::expected<Started, int> Spawn(const std::string& program, std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::unexpected(errno);
  const UniqueFd theirs(ends[0]);
  Started started{UniqueFd(ends[1]), UniqueFd(), -1};
  words.insert(words.begin(), "casemate-ship");
  words.insert(words.end(), {"--lifeline", fmt::format("{}", kLifeline)});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), kLifeline);
  posix_spawn_file_actions_addclosefrom_np(&actions, kLifeline + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A terminal's Ctrl-C is for the engine, which lets it end.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int failed =
      ::posix_spawn(&started.pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return std::unexpected(failed);
  // Nobody else waits for it, so its number stays its own.
  started.process = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, started.pid, 0)));
  return started;
}

// False when `stop` was readable first.
bool WaitUnless(int stop, int fd, int ms) {
  std::array<pollfd, 2> fds = {pollfd{stop, POLLIN, 0}, pollfd{fd, POLLIN, 0}};
  while (::poll(fds.data(), fds.size(), ms) < 0 && errno == EINTR) {
  }
  return fds[0].revents == 0;
}

}  // namespace

Expected<std::unique_ptr<SinkProcess>> SinkProcess::Start(std::vector<std::string> words, Tell tell) {
  std::string program = BesideUs("casemate-ship");
  if (!FileExists(program)) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{}, which carries records to sinks, is not there: install it beside casemate", program));
  }
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return FailErrno(ErrorCode::kInternal, "out of file descriptors", "eventfd");
  return std::unique_ptr<SinkProcess>(
      new SinkProcess(std::move(program), std::move(words), std::move(tell), std::move(stop)));
}

SinkProcess::SinkProcess(std::string program, std::vector<std::string> words, Tell tell, UniqueFd stop)
    : program_(std::move(program)),
      words_(std::move(words)),
      tell_(std::move(tell)),
      stop_(std::move(stop)),
      thread_([this] { Watch(); }) {}

SinkProcess::~SinkProcess() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void SinkProcess::Watch() {
  for (int pause_ms = kFirstPauseMs; RunOnce(); pause_ms = std::min(pause_ms * 2, kLongestPauseMs)) {
    if (!WaitUnless(stop_.get(), -1, pause_ms)) return;
  }
}

bool SinkProcess::RunOnce() {
  auto started = Spawn(program_, words_);
  if (!started) {
    tell_(fmt::format("{} cannot be started, and records wait: {}", program_, ErrnoName(started.error())));
    return true;
  }
  const bool ended = WaitUnless(stop_.get(), started->process.get(), -1);
  if (!ended) {
    started->lifeline.reset();
    pollfd gone{started->process.get(), POLLIN, 0};
    if (::poll(&gone, 1, kDrainMs + 1000) <= 0) ::kill(started->pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(started->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (ended) {
    tell_(fmt::format("casemate-ship ended with {}, and records wait until it is started again",
                      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
  }
  return ended;
}

}  // namespace casemate
