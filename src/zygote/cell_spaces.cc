// Theory of operation: user_namespaces(7) lets only a process of the parent namespace with CAP_SETUID there
// write a map of other ids than its own, and gives the namespace to the user id that made it. So:
//
//   engine   forks the agent, which enters the zygote's user namespace and so has every capability there
//   agent    for each cell: forks a founder, waits for its byte, writes its maps, answers
//   founder  takes the zygote's user id, unshares, says so; with its maps written it sends its two namespaces
//            to the engine and ends: the descriptors alone keep them
//
// Both run in a copy of the engine that may have had other threads: system calls only, no allocation.
#include "zygote/cell_spaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "confine/id_pool.h"
#include "confine/privileges.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

struct Task {
  int socket;  // to the engine
  const CellSpacesRequest& request;
  pid_t engine;
};

// A line of at most 64 bytes, put together without allocation.
class Line {
 public:
  Line& Add(std::string_view text) {
    for (const char c : text) {
      if (length_ < text_.size() - 1) text_[length_++] = c;
    }
    return *this;
  }
  Line& Add(unsigned long number) {
    std::array<char, 20> digits{};
    std::size_t at = digits.size();
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    return Add({digits.data() + at, digits.size() - at});
  }
  const char* c_str() const { return text_.data(); }
  std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, 64> text_{};
  std::size_t length_ = 0;
};

bool WriteTo(pid_t pid, std::string_view file, std::string_view text) {
  const int fd = open(Line().Add("/proc/").Add(static_cast<unsigned long>(pid)).Add("/").Add(file).c_str(),
                      O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

bool WriteMaps(const Task& task, pid_t founder, uid_t cell) {
  if (task.request.single_id) {
    const Line map = Line().Add(kProgramId).Add(" ").Add(kProgramId).Add(" 1\n");
    return WriteTo(founder, "setgroups", "deny") && WriteTo(founder, "gid_map", map.view()) &&
           WriteTo(founder, "uid_map", map.view());
  }
  const unsigned long first = kCellIds + cell * kIdsPerSandbox;
  const Line map =
      Line().Add("0 ").Add(first).Add(" 1\n").Add(kProgramId).Add(" ").Add(first + 1).Add(" 1\n");
  return WriteTo(founder, "gid_map", map.view()) && WriteTo(founder, "uid_map", map.view());
}

bool SendSpaces(int socket) {
  const std::array<int, 2> fds = {open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC),
                                  open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (fds[0] < 0 || fds[1] < 0) return false;
  constexpr std::array kByte = {std::byte{'s'}};
  return SendDescriptors(socket, kByte, fds) == 0;
}

[[noreturn]] void RunFounder(const Task& task, int agent) {
  if (!task.request.single_id && TakeIds(kProgramId, true) != 0) _exit(2);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) _exit(3);
  // A change of ids makes a process undumpable, and its files in /proc root's alone (proc(5)).
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  char byte = 'u';
  if (write(agent, &byte, 1) != 1 || read(agent, &byte, 1) != 1) _exit(4);
  _exit(SendSpaces(task.socket) ? 0 : 5);
}

bool Found(const Task& task, uid_t cell) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
  const pid_t founder = ForkAlone();
  if (founder == 0) {
    close(ends[0]);
    RunFounder(task, ends[1]);
  }
  close(ends[1]);
  char byte = 0;
  const bool mapped = founder > 0 && read(ends[0], &byte, 1) == 1 && WriteMaps(task, founder, cell) &&
                      write(ends[0], &byte, 1) == 1;
  close(ends[0]);
  int status = 0;
  while (founder > 0 && waitpid(founder, &status, 0) < 0 && errno == EINTR) {
  }
  return mapped && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

[[noreturn]] void RunAgent(const Task& task) {
  std::array<int, 2> keep{task.socket, task.request.zygote_user_namespace};
  std::ranges::sort(keep);
  CloseAllBut(keep);
  if (setns(task.request.zygote_user_namespace, CLONE_NEWUSER) != 0) _exit(1);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != task.engine) _exit(1);
  for (const uid_t cell : task.request.cells) {
    if (!Found(task, cell)) _exit(1);
  }
  _exit(0);
}

// False at the end of the stream.
bool Receive(int socket, CellSpaces& spaces) {
  std::array<std::byte, 1> byte{};
  std::array<int, 2> fds{-1, -1};
  std::size_t count = 0;
  if (ReceiveDescriptors(socket, byte, fds, count) != 1 || count != fds.size()) return false;
  spaces.user.reset(fds[0]);
  spaces.network.reset(fds[1]);
  return true;
}

}  // namespace

Expected<std::vector<CellSpaces>> MakeCellSpaces(const CellSpacesRequest& request) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const Task task{theirs.get(), request, getpid()};
  const pid_t agent = ForkAlone();
  if (agent < 0) return FailErrno(ErrorCode::kInternal, "cannot prepare warm cells", "clone");
  if (agent == 0) RunAgent(task);
  theirs.reset();
  std::vector<CellSpaces> all;
  for (CellSpaces spaces; Receive(ours.get(), spaces);) all.push_back(std::move(spaces));
  while (waitpid(agent, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (all.size() == request.cells.size()) return all;
  return Fail(ErrorCode::kUnavailable,
              "cannot prepare the namespaces of warm cells; the host's limits are in /proc/sys/user "
              "(max_user_namespaces, max_net_namespaces)",
              fmt::format("{} of {} made", all.size(), request.cells.size()));
}

}  // namespace casemate
