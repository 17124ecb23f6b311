#include "isolation/wire/connections.h"

#include <sys/socket.h>

#include <cstddef>
#include <span>

#include "base/descriptor_message.h"
#include "base/errno.h"

namespace casemate {

Expected<Connections::Handover> Connections::MakeHandover() {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  Handover made{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Room for as many as a policy may allow at one time, should all of them come before the proxy is ready.
  constexpr int kRoomBytes = 1 << 20;
  setsockopt(made.ours.get(), SOL_SOCKET, SO_SNDBUF, &kRoomBytes, sizeof(kRoomBytes));
  return made;
}

bool Connections::IsOf(Wire kind) {
  return kind == Wire::kOpened || kind == Wire::kFrom || kind == Wire::kFromTaken ||
         kind == Wire::kFromClosed;
}

bool Connections::Hear(const WireFrame& frame) {
  if (frame.kind != Wire::kOpened) return multiplexer_.Hear(frame.kind, frame.payload);
  std::string_view payload = frame.payload;
  const auto number = Multiplexer::TakeNumber(payload);
  if (!number || !payload.empty() || !multiplexer_.IsFree(*number)) return false;
  multiplexer_.Open(*number, HandOver());
  return true;
}

UniqueFd Connections::HandOver() const {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) return {};
  UniqueFd ours(fds[0]);
  const UniqueFd theirs(fds[1]);
  constexpr std::array<std::byte, 1> kWord{};
  const int fd = theirs.get();
  if (SendDescriptors(handover_.get(), kWord, {&fd, 1}) != 0) return {};
  return ours;
}

}  // namespace casemate
