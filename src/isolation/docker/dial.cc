#include "isolation/docker/dial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace embedded {
std::string_view DockerDialer(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace docker {
namespace {

Expected<UniqueFd> OpenDialer() {
  UniqueFd fd(memfd_create("casemate-docker-dialer", MFD_CLOEXEC));
  if (!fd.valid()) return FailErrno(ErrorCode::kInternal, "there is no memory for a helper", "memfd_create");
  if (auto written = WriteAll(fd.get(), embedded::DockerDialer("docker_dialer"), "the dialer"); !written)
    return std::unexpected(written.error());
  return fd;
}

// 0 or an errno.
int Spawn(int binary, int socket, const Place& place) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  const std::string path = fmt::format("/proc/self/fd/{}", binary);
  std::array<std::string, 4> words{"casemate-docker-dialer", place.host, place.port, place.certificates};
  std::array<char*, 5> argv{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  std::array<char*, 1> env{nullptr};
  pid_t pid = -1;
  const int failed = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return failed;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ENOEXEC;
}

// The dialer's first line.
std::string FirstLine(int fd, const Deadline& deadline) {
  std::string line;
  char byte = 0;
  for (;;) {
    pollfd entry{fd, POLLIN, 0};
    const int ready = poll(&entry, 1, static_cast<int>(deadline.RemainingMs()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return "-it took too long";
    const ssize_t count = recv(fd, &byte, 1, 0);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return "-the dialer ended";
    if (byte == '\n') return line;
    line += byte;
  }
}

}  // namespace

Expected<UniqueFd> Dial(const Place& place, std::int64_t timeout_ms) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  auto binary = OpenDialer();
  if (!binary) return std::unexpected(binary.error());
  if (const int err = Spawn(binary->get(), theirs.get(), place); err != 0) {
    return FailErrno(
        ErrorCode::kUnavailable,
        "the helper that reaches Docker Engines elsewhere cannot be started; is libcurl4 installed?",
        "posix_spawn", err);
  }
  theirs.reset();
  const std::string line = FirstLine(ours.get(), Deadline::After(timeout_ms));
  if (line.starts_with('+')) return ours;
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("no Docker Engine answers at {}: {}; correct DOCKER_HOST, or DOCKER_CERT_PATH for one that "
                  "wants TLS",
                  place.Text(), line.substr(1)));
}

}  // namespace docker
}  // namespace casemate
