#include "confine/inside_agent.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

#include "base/descriptor_message.h"
#include "confine/privileges.h"
#include "confine/syscalls.h"

namespace casemate {
namespace {

// ---- The child: no allocation, no lock; it was forked from a process that may have threads. ----

bool Enter(const InsideOf& inside, int socket) {
  std::array<int, 2> keep{inside.user_namespace, socket};
  std::ranges::sort(keep);
  CloseAllBut(keep);
  if (setns(inside.user_namespace, CLONE_NEWUSER) != 0) return false;
  return !inside.change_ids || TakeIds(0, true) == 0;
}

class DescriptorPath {
 public:
  explicit DescriptorPath(pid_t pid) {
    Append("/proc/");
    AppendNumber(pid);
    Append("/fd/");
    folder_end_ = end_;
  }
  const char* Of(int fd) {
    end_ = folder_end_;
    AppendNumber(fd);
    *end_ = 0;
    return text_.data();
  }

 private:
  void Append(std::string_view text) {
    for (const char letter : text) *end_++ = letter;
  }
  void AppendNumber(int number) { end_ = std::to_chars(end_, text_.data() + text_.size() - 1, number).ptr; }

  std::array<char, 64> text_{};
  char* end_ = text_.data();
  char* folder_end_ = nullptr;
};

int FindAmong(std::span<const pid_t> processes, std::string_view begins) {
  constexpr int kDescriptors = 256;  // one that is made at a process's start is among the first
  for (const pid_t pid : processes) {
    DescriptorPath path(pid);
    for (int fd = 0; fd < kDescriptors; ++fd) {
      std::array<char, 64> link;  // NOLINT(cppcoreguidelines-pro-type-member-init)
      const ssize_t length = readlink(path.Of(fd), link.data(), link.size());
      if (length <= 0 || !std::string_view(link.data(), static_cast<std::size_t>(length)).starts_with(begins))
        continue;
      return open(path.Of(fd), O_PATH | O_CLOEXEC);
    }
  }
  return -1;
}

// ---- The engine's side. ----

// What `open`, called in the child if there has to be one, has opened.
template <typename Open>
UniqueFd AskChild(const InsideOf& inside, const Open& open) {
  if (inside.user_namespace < 0) return UniqueFd(open());
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t engine = getpid();
  const pid_t child = ForkAlone();
  if (child < 0) return {};
  if (child == 0) {
    if (!Enter(inside, theirs.get())) _exit(1);
    // After the change of ids, which clears it (prctl(2)).
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != engine) _exit(1);
    const int fd = open();
    constexpr std::byte kWord{'f'};
    _exit(fd >= 0 && SendDescriptors(theirs.get(), {&kWord, 1}, {&fd, 1}) == 0 ? 0 : 1);
  }
  theirs.reset();
  std::byte word{};
  int fd = -1;
  std::size_t count = 0;
  const ssize_t got = ReceiveDescriptors(ours.get(), {&word, 1}, {&fd, 1}, count);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return got == 1 && count == 1 ? UniqueFd(fd) : UniqueFd();
}

}  // namespace

UniqueFd OpenInside(const InsideOf& inside, const std::string& folder, const std::string& name, int flags) {
  return AskChild(inside, [&] {
    const int place = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    return place < 0 ? -1 : OpenBeneath(place, name.c_str(), flags | O_CLOEXEC);
  });
}

UniqueFd FindOpenFile(const InsideOf& inside, std::span<const pid_t> processes, std::string_view begins) {
  return AskChild(inside, [&] { return FindAmong(processes, begins); });
}

}  // namespace casemate
