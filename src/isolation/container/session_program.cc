#include "isolation/container/session_program.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/errno.h"
#include "base/file.h"

namespace casemate::container {

int PidOf(int pidfd) {
  constexpr std::string_view kName = "\nPid:";
  const std::string text = ReadKernelFile(fmt::format("/proc/self/fdinfo/{}", pidfd));
  const std::size_t at = text.find(kName);
  return at == std::string::npos
             ? -1
             : static_cast<int>(std::strtol(text.c_str() + at + kName.size(), nullptr, 10));
}

Expected<UniqueFd> OpenProgram(int init_pidfd) {
  const int init = PidOf(init_pidfd);
  const std::string children = ReadKernelFile(fmt::format("/proc/{0}/task/{0}/children", init));
  const int program = static_cast<int>(std::strtol(children.c_str(), nullptr, 10));
  if (init <= 0 || program <= 0) {
    return Fail(ErrorCode::kUnavailable,
                "a session needs a kernel that lists a process's children (CONFIG_PROC_CHILDREN)");
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, program, 0)));
  if (!pidfd.valid()) return FailErrno(ErrorCode::kInternal, "a session's cell has died", "pidfd_open");
  // Its number may have become another process's; not while its parent lives and has not been told of its
  // end.
  pollfd gone{init_pidfd, POLLIN, 0};
  if (poll(&gone, 1, 0) != 0) return Fail(ErrorCode::kInternal, "a session's cell has died");
  return pidfd;
}

}  // namespace casemate::container
