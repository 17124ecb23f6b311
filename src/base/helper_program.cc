#include "base/helper_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace {

std::vector<char*> Kept(std::span<const std::string_view> variables) {
  std::vector<char*> kept;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view variable(*at);
    const bool wanted = std::ranges::any_of(
        variables, [variable](std::string_view prefix) { return variable.starts_with(prefix); });
    if (wanted) kept.push_back(*at);
  }
  kept.push_back(nullptr);
  return kept;
}

// Nobody else has the file, but the kernel refuses (EBUSY) while one of its pages is held for a moment, by a
// scan of the host's memory for instance.
bool Seal(int fd, int seals) {
  constexpr int kTries = 50;
  constexpr int kPauseMs = 10;
  for (int i = 0; i < kTries; ++i) {
    if (fcntl(fd, F_ADD_SEALS, seals) == 0) return true;
    if (errno != EBUSY) return false;
    poll(nullptr, 0, kPauseMs);
  }
  errno = EBUSY;
  return false;
}

}  // namespace

Expected<UniqueFd> SealedFile(const char* name, std::string_view bytes) {
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) {
    return FailErrno(
        ErrorCode::kInternal,
        fmt::format("out of memory or file descriptors for {}; raise the limit with ulimit -n", name),
        "memfd_create");
  }
  if (auto written = WriteAll(fd.get(), bytes, name); !written) return std::unexpected(written.error());
  if (!Seal(fd.get(), kSeals))
    return FailErrno(ErrorCode::kInternal, fmt::format("cannot seal {}", name), "fcntl F_ADD_SEALS");
  return fd;
}

int SpawnHelper(const HelperStart& start, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
  // Onto its own number it would stay close-on-exec.
  posix_spawn_file_actions_adddup2(&actions, start.socket, start.socket_as);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  const std::string path = fmt::format("/proc/self/fd/{}", start.program);
  std::vector<std::string> words = start.words;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> env = Kept(start.variables);
  const int failed = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) pid = -1;
  return failed;
}

}  // namespace casemate
