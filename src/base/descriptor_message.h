#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace casemate {

// Messages over a unix socket with descriptors attached (unix(7), SCM_RIGHTS). Both functions are
// async-signal-safe, allocate nothing, and go on after an interruption.
inline constexpr std::size_t kDescriptorsInMessageMax = 32;

// One message: all of `bytes`, or none. 0 or -errno.
int SendDescriptors(int socket, std::span<const std::byte> bytes, std::span<const int> fds);

// One message: how many bytes it had, 0 at the end of the stream, or -errno. `fds` takes what is attached,
// close-on-exec, and `fd_count` says how many that were; -EMSGSIZE, with all of them closed, when there is no
// room for one in `fds` or in the table of this process. `flags` as for recvmsg(2).
ssize_t ReceiveDescriptors(int socket, std::span<std::byte> bytes, std::span<int> fds, std::size_t& fd_count,
                           int flags = 0);

}  // namespace casemate
