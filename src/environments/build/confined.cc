#include "environments/build/confined.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/instrumented.h"
#include "base/unique_fd.h"
#include "confine/landlock.h"

namespace casemate {
namespace {

constexpr std::size_t kAnswerMax = 64 << 20;
constexpr std::size_t kOutputKept = 1 << 20;
// Where a command's own binary is, for the one execveat(2) that the filter lets through.
constexpr int kBinaryFd = 900;

// What nothing that unpacks or resolves has a use for.
constexpr std::array kNever = {SCMP_SYS(ptrace),      SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
                               SCMP_SYS(bpf),         SCMP_SYS(io_uring_setup),   SCMP_SYS(mount),
                               SCMP_SYS(umount2),     SCMP_SYS(pivot_root),       SCMP_SYS(open_tree),
                               SCMP_SYS(move_mount),  SCMP_SYS(fsopen),           SCMP_SYS(unshare),
                               SCMP_SYS(setns),       SCMP_SYS(keyctl),           SCMP_SYS(add_key),
                               SCMP_SYS(request_key), SCMP_SYS(userfaultfd),      SCMP_SYS(perf_event_open),
                               SCMP_SYS(init_module), SCMP_SYS(finit_module),     SCMP_SYS(kexec_load),
                               SCMP_SYS(mknod),       SCMP_SYS(mknodat),          SCMP_SYS(chroot)};
constexpr std::array kSockets = {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind)};

bool LoadFilter(const Confinement& confinement) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);
  bool fine = true;
  for (const int call : kNever) fine = fine && seccomp_rule_add(filter, kRefuse, call, 0) == 0;
  if (!confinement.network) {
    for (const int call : kSockets) fine = fine && seccomp_rule_add(filter, kRefuse, call, 0) == 0;
  }
  if (!confinement.programs) {
    const scmp_arg_cmp another{0, SCMP_CMP_NE, static_cast<scmp_datum_t>(kBinaryFd), 0};
    fine = fine && seccomp_rule_add(filter, kRefuse, SCMP_SYS(execve), 0) == 0 &&
           seccomp_rule_add_array(filter, kRefuse, SCMP_SYS(execveat), 1, &another) == 0;
  }
  fine = fine && seccomp_load(filter) == 0;
  seccomp_release(filter);
  return fine;
}

void Limit(__rlimit_resource resource, std::int64_t value) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(limit.rlim_max, static_cast<rlim_t>(value));
  ::setrlimit(resource, &limit);
}

// False when what was asked for does not hold. Without its limit on memory, which comes last: a sanitizer's
// allocator cannot work below it.
bool Confine(const Confinement& confinement) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_CPU, confinement.cpu_s);
  Limit(RLIMIT_FSIZE, confinement.file_bytes);
  if (!confinement.writable.empty()) {
    LandlockPlan landlock;
    landlock.abi = LandlockAbi();
    landlock.writable = {confinement.writable};
    if (RestrictWithLandlock(landlock) != 0) return false;
  }
  return LoadFilter(confinement);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
Expected<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors", "pipe2");
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

int Reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// An answer is one letter, and then the text, or code, message and cause.
std::string Pack(const Expected<std::string>& answer) {
  if (answer) return "+" + *answer;
  return fmt::format("-{}{}\n{}", static_cast<int>(answer.error().code), answer.error().message,
                     answer.error().cause);
}
Expected<std::string> Unpack(std::string_view text) {
  if (text.starts_with('+')) return std::string(text.substr(1));
  const std::size_t newline = text.find('\n');
  if (text.size() < 2 || newline == std::string_view::npos || text[1] < '0' || text[1] > '4') {
    return Fail(ErrorCode::kInternal, "the process that unpacks gave no answer");
  }
  return Fail(static_cast<ErrorCode>(text[1] - '0'), std::string(text.substr(2, newline - 2)),
              std::string(text.substr(newline + 1)));
}

constexpr int kNotConfined = 112;

// In the child; what it needs was allocated before the fork.
[[noreturn]] void Become(const Confinement& confinement, const std::string& working_dir, char* const* argv,
                         char* const* envp, int binary, int out, int err) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::dup3(binary, kBinaryFd, O_CLOEXEC);
  ::setpgid(0, 0);
  if (::chdir(working_dir.c_str()) != 0 || !Confine(confinement)) ::_exit(kNotConfined);
  Limit(RLIMIT_AS, confinement.memory_bytes);
  ::syscall(SYS_execveat, kBinaryFd, "", argv, envp, AT_EMPTY_PATH);
  ::_exit(127);
}

void Keep(std::string& kept, std::string_view bytes) {
  kept += bytes;
  if (kept.size() > 2 * kOutputKept) kept.erase(0, kept.size() - kOutputKept);
}

// Reads both streams to their end; false when time is up.
bool Drain(int out, int err, const ConfinedCommand& command, ConfinedResult& result) {
  const Deadline deadline = Deadline::After(command.timeout_ms);
  std::array<pollfd, 2> fds{pollfd{out, POLLIN, 0}, pollfd{err, POLLIN, 0}};
  std::string line;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds.data(), fds.size(), static_cast<int>(deadline.RemainingMs())) < 0 && errno != EINTR)
      return false;
    if (deadline.Passed()) return false;
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      std::array<char, 16384> buffer{};
      const ssize_t count = ::read(fds[i].fd, buffer.data(), buffer.size());
      if (count <= 0) {
        fds[i].fd = -1;
        continue;
      }
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
      Keep(i == 0 ? result.out : result.err, bytes);
      if (i != 0 || !command.on_line) continue;
      line += bytes;
      for (std::size_t end = line.find('\n'); end != std::string::npos; end = line.find('\n')) {
        command.on_line(std::string_view(line).substr(0, end));
        line.erase(0, end + 1);
      }
    }
  }
  return true;
}

}  // namespace

Expected<std::string> RunConfined(const Confinement& confinement,
                                  const std::function<Expected<std::string>()>& work) {
  auto pipe = MakePipe();
  if (!pipe) return std::unexpected(pipe.error());
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno(ErrorCode::kInternal, "no process can be started", "fork");
  if (pid == 0) {
    if (!Confine(confinement)) ::_exit(kNotConfined);
    if (!kInstrumented) Limit(RLIMIT_AS, confinement.memory_bytes);
    const std::string answer = Pack(work());
    const bool written = WriteAll(pipe->write_end.get(), answer, "the answer").has_value();
    ::_exit(written ? 0 : 1);
  }
  pipe->write_end.reset();
  const auto answer = ReadAll(pipe->read_end.get(), kAnswerMax, "the answer of the process that unpacks");
  const int code = Reap(pid);
  if (code == kNotConfined) {
    return Fail(ErrorCode::kUnavailable, "a process that unpacks cannot be confined on this host",
                "no_new_privs, landlock or seccomp");
  }
  if (code == 0 && answer) return Unpack(*answer);
  return Fail(ErrorCode::kInternal, "the process that unpacks died: the archive is damaged or too large",
              fmt::format("exit code {}", code));
}

Expected<ConfinedResult> RunConfinedCommand(const Confinement& confinement, const ConfinedCommand& command) {
  auto binary = OpenFile(command.argv.front(), O_PATH);
  auto out = MakePipe();
  auto err = MakePipe();
  if (!binary) return std::unexpected(binary.error());
  if (!out || !err) return std::unexpected(out ? err.error() : out.error());
  std::vector<std::string> words = command.argv;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> pairs;
  for (const auto& [name, value] : command.env) pairs.push_back(name + "=" + value);
  std::vector<char*> envp;
  for (std::string& pair : pairs) envp.push_back(pair.data());
  envp.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return FailErrno(ErrorCode::kInternal, "no process can be started", "fork");
  if (pid == 0) {
    Become(confinement, command.working_dir, argv.data(), envp.data(), binary->get(), out->write_end.get(),
           err->write_end.get());
  }
  out->write_end.reset();
  err->write_end.reset();
  ConfinedResult result;
  const bool ended = Drain(out->read_end.get(), err->read_end.get(), command, result);
  if (!ended) ::kill(-pid, SIGKILL);
  result.exit_code = Reap(pid);
  if (!ended) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} did not end within {} s", command.argv.front(), command.timeout_ms / 1000));
  }
  if (result.exit_code == kNotConfined) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} cannot be confined on this host", command.argv.front()),
                "no_new_privs, landlock or seccomp");
  }
  return result;
}

}  // namespace casemate
