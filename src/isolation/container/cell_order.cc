#include "isolation/container/cell_order.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "base/errno.h"
#include "zygote/cell_message.h"

namespace casemate::container {

Expected<void> SendOrder(int control, const ChannelEnds& ends, const CellSpaces& spaces,
                         const std::vector<UniqueFd>& tasks, bool rehearse) {
  std::array<int, kCellDescriptorsMax> fds{};
  std::size_t count = 0;
  for (const int fd : {ends.theirs.get(), ends.lifeline.get(), ends.exit_status.get(), spaces.user.get(),
                       spaces.network.get()}) {
    fds[count++] = fd;
  }
  for (const DescriptorMove& move : ends.moves) fds[count++] = move.from;
  for (const UniqueFd& task : tasks) fds[count++] = task.get();
  CellMessage message{static_cast<std::uint32_t>(tasks.size()), rehearse ? 1U : 0U};
  iovec part{&message, sizeof(message)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kCellDescriptorsMax * sizeof(int))> space{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = space.data();
  header.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* attached = CMSG_FIRSTHDR(&header);
  attached->cmsg_level = SOL_SOCKET;
  attached->cmsg_type = SCM_RIGHTS;
  attached->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(attached), fds.data(), count * sizeof(int));
  if (sendmsg(control, &header, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof(message))) return {};
  return FailErrno(ErrorCode::kInternal, "the zygote does not listen", "sendmsg");
}

}  // namespace casemate::container
