#include "isolation/docker/dial.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/errno.h"
#include "base/helper_program.h"

namespace casemate {
namespace embedded {
std::string_view DockerDialer(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace docker {
namespace {

// 0 or an errno.
int RunDialer(const HelperStart& start) {
  pid_t pid = -1;
  if (const int failed = SpawnHelper(start, pid); failed != 0) return failed;
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
  auto binary = SealedFile("casemate-docker-dialer", embedded::DockerDialer("docker_dialer"));
  if (!binary) return std::unexpected(binary.error());
  const HelperStart start{binary->get(),
                          {"casemate-docker-dialer", place.host, place.port, place.certificates},
                          theirs.get(),
                          STDIN_FILENO,
                          {}};
  if (const int err = RunDialer(start); err != 0) {
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
