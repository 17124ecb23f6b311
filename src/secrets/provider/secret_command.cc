#include "secrets/provider/secret_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/errno.h"
#include "base/unique_fd.h"

namespace casemate::secrets {
namespace {

// A command in a process group of its own.
class Command {
 public:
  ~Command() {
    if (pid_ > 0) (void)End();
  }
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  int Start(std::span<const std::string> words, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    std::vector<std::string> copies(words.begin(), words.end());
    std::vector<char*> argv;
    for (std::string& word : copies) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int failed = posix_spawnp(&pid_, argv.front(), &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) pid_ = -1;
    return failed;
  }

  // False when it has not ended until `deadline`; one that has is not reaped yet, so that its group cannot be
  // another's.
  bool Ends(const Deadline& deadline) const {
    const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    pollfd gone{pidfd.get(), POLLIN, 0};
    int count = 0;
    do {
      count = poll(&gone, 1, static_cast<int>(deadline.RemainingMs()));
    } while (count < 0 && errno == EINTR);
    return count > 0;
  }

  // With all that it has started. The exit code.
  int End() {
    kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

std::unexpected<Error> TooLate(std::string_view who) {
  return Fail(ErrorCode::kUnavailable, fmt::format("{} did not end in time: try it in a shell", who));
}

Expected<SecretValue> ReadAll(int fd, std::string_view who, std::size_t bytes_max, const Deadline& deadline) {
  auto value = SecretValue::WithRoom(bytes_max + 2);  // a newline, and one byte that is too many
  if (!value) return value;
  std::size_t filled = 0;
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    const int count = poll(&ready, 1, static_cast<int>(deadline.RemainingMs()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return TooLate(who);
    const ssize_t got = read(fd, value->data() + filled, value->capacity() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled == value->capacity()) break;
  }
  if (filled > 0 && value->data()[filled - 1] == '\n') --filled;
  if (filled > bytes_max) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} prints more than {} bytes", who, bytes_max));
  }
  value->Resize(filled);
  return value;
}

}  // namespace

Expected<CommandSecret> RunForSecret(std::span<const std::string> argv, std::string_view who,
                                     std::size_t bytes_max, const Deadline& deadline) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  const UniqueFd output(ends[0]);
  UniqueFd theirs(ends[1]);
  Command command;
  if (const int err = command.Start(argv, theirs.get()); err != 0) {
    return FailErrno(ErrorCode::kUnavailable, fmt::format("{} cannot be started: try it in a shell", who),
                     "posix_spawnp", err);
  }
  theirs.reset();
  auto text = ReadAll(output.get(), who, bytes_max, deadline);
  if (!text) return std::unexpected(text.error());
  if (!command.Ends(deadline)) return TooLate(who);
  return CommandSecret{*std::move(text), command.End()};
}

}  // namespace casemate::secrets
