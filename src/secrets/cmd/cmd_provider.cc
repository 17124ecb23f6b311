#include "secrets/cmd/cmd_provider.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/errno.h"
#include "base/unique_fd.h"

namespace casemate::secrets {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message));
}

// A shell that runs the command, in a process group of its own.
class Shell {
 public:
  ~Shell() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    (void)Wait();
  }
  Shell() = default;
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  int Start(const std::string& command, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    std::string shell = "/bin/sh";
    std::string flag = "-c";
    std::string text = command;
    std::array<char*, 4> argv{shell.data(), flag.data(), text.data(), nullptr};
    const int failed = posix_spawn(&pid_, shell.c_str(), &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) pid_ = -1;
    return failed;
  }

  int Wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class CmdProvider : public Provider {
 public:
  std::string_view scheme() const override { return "cmd"; }
  std::string_view form() const override { return "cmd:COMMAND"; }
  bool waits() const override { return true; }
  Expected<void> Check(std::string_view /*place*/) const override { return {}; }

  Expected<Fetched> Fetch(std::string_view place, const Deadline& deadline) override {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                       "pipe2");
    }
    const UniqueFd output(ends[0]);
    UniqueFd theirs(ends[1]);
    Shell shell;
    if (const int err = shell.Start(std::string(place), theirs.get()); err != 0) {
      return FailErrno(ErrorCode::kUnavailable, "the command of a cmd: reference cannot be started",
                       "posix_spawn /bin/sh", err);
    }
    theirs.reset();
    auto value = Read(output.get(), deadline);
    if (!value) return std::unexpected(value.error());
    return Judge(*std::move(value), shell.Wait());
  }

 private:
  static Expected<SecretValue> Read(int fd, const Deadline& deadline) {
    auto value = SecretValue::WithRoom(kSecretBytesMax + 3);  // a newline, and one byte that is too many
    if (!value) return value;
    std::size_t filled = 0;
    for (;;) {
      pollfd ready{fd, POLLIN, 0};
      const int count = poll(&ready, 1, static_cast<int>(deadline.RemainingMs()));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Refuse("the command of a cmd: reference did not end in time");
      const ssize_t got = read(fd, value->data() + filled, value->capacity() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
      if (filled == value->capacity()) {
        return Refuse(
            fmt::format("the command of a cmd: reference prints more than {} bytes", kSecretBytesMax));
      }
    }
    value->Resize(filled);
    return value;
  }

  static Expected<Fetched> Judge(SecretValue value, int exit_code) {
    Fetched fetched;
    if (exit_code == kNotFound || exit_code == kNotExecutable || exit_code > 128) {
      return Refuse(fmt::format("the command of a cmd: reference failed with exit code {}: try it in a shell",
                                exit_code));
    }
    if (exit_code != 0) {
      fetched.missing = fmt::format("the command of its cmd: reference ended with exit code {}", exit_code);
      return fetched;
    }
    const std::string_view bytes = value.Reveal();
    value.Resize(bytes.size() - (bytes.ends_with('\n') ? 1 : 0));
    if (value.empty()) return Refuse("the command of a cmd: reference printed nothing: try it in a shell");
    if (value.size() > kSecretBytesMax) {
      return Refuse(
          fmt::format("the command of a cmd: reference prints more than {} bytes", kSecretBytesMax));
    }
    auto exact = SecretValue::Copy(value.Reveal());
    if (!exact) return std::unexpected(exact.error());
    fetched.value = *std::move(exact);
    return fetched;
  }
};

}  // namespace

std::unique_ptr<Provider> MakeCmdProvider() { return std::make_unique<CmdProvider>(); }

}  // namespace casemate::secrets
