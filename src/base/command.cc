#include "base/command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/unique_fd.h"

namespace casemate {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<Pipe> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors", "pipe2");
  }
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Expected<pid_t> Spawn(const std::vector<std::string>& argv, const CommandOptions& options, int in, int out,
                      int err) {
  std::vector<std::string> pairs;
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  pairs.push_back(std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"));
  pairs.emplace_back("LANG=C.UTF-8");
  for (const auto& [name, value] : options.env) pairs.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (std::string& pair : pairs) envp.push_back(pair.data());
  envp.push_back(nullptr);
  std::vector<std::string> words = argv;
  std::vector<char*> args;
  for (std::string& word : words) args.push_back(word.data());
  args.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int group = options.in_our_group ? 0 : POSIX_SPAWN_SETPGROUP;
  posix_spawnattr_setflags(&attributes, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK));
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, args[0], &actions, &attributes, args.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    // exec(3): EACCES also where a folder of PATH is closed to us and no other has the file.
    const bool missing = failed == ENOENT || (failed == EACCES && !argv[0].contains('/'));
    return FailErrno(missing ? ErrorCode::kNotFound : ErrorCode::kInternal, "cannot run " + argv[0],
                     "posix_spawn " + argv[0], failed);
  }
  return pid;
}

// Reads both streams until their end. False on a timeout or when one of them is too long.
bool Drain(int out, int err, const CommandOptions& options, CommandResult& result) {
  const Deadline deadline = Deadline::After(options.timeout_ms);
  std::array<pollfd, 2> fds{pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  const std::array<std::string*, 2> into{&result.out, &result.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (poll(fds.data(), fds.size(), static_cast<int>(deadline.RemainingMs())) < 0 && errno != EINTR)
      return false;
    if (deadline.Passed()) return false;
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      std::array<char, 16384> buffer{};
      const ssize_t count = read(fds[i].fd, buffer.data(), buffer.size());
      if (count <= 0) {
        fds[i].fd = -1;
      } else if (into[i]->size() + static_cast<std::size_t>(count) > options.bytes_max) {
        return false;
      } else {
        into[i]->append(buffer.data(), static_cast<std::size_t>(count));
      }
    }
  }
  return true;
}

}  // namespace

Expected<CommandResult> RunCommand(const std::vector<std::string>& argv, const CommandOptions& options) {
  // A file, not a pipe: a program that never reads it is no trouble.
  const UniqueFd in(memfd_create("stdin", MFD_CLOEXEC));
  auto out = MakePipe();
  auto err = MakePipe();
  if (!in.valid() || !out || !err) return Fail(ErrorCode::kInternal, "out of file descriptors", "pipe2");
  if (auto written = WriteAll(in.get(), options.stdin_bytes, "stdin"); !written)
    return std::unexpected(written.error());
  lseek(in.get(), 0, SEEK_SET);
  auto pid = Spawn(argv, options, in.get(), out->write_end.get(), err->write_end.get());
  if (!pid) return std::unexpected(pid.error());
  out->write_end.reset();
  err->write_end.reset();

  CommandResult result;
  const bool complete = Drain(out->read_end.get(), err->read_end.get(), options, result);
  if (!complete) kill(options.in_our_group ? *pid : -*pid, SIGKILL);
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!complete) {
    return Fail(ErrorCode::kInternal, argv[0] + " did not end within " + std::to_string(options.timeout_ms) +
                                          " ms or wrote too much");
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace casemate
