#include "isolation/container/cell_order.h"

#include <array>
#include <cstdint>
#include <span>

#include "base/descriptor_message.h"
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
  const CellMessage message{static_cast<std::uint32_t>(tasks.size()), rehearse ? 1U : 0U};
  const int sent =
      SendDescriptors(control, std::as_bytes(std::span(&message, 1)), std::span(fds).first(count));
  if (sent == 0) return {};
  return FailErrno(ErrorCode::kInternal, "the zygote does not listen", "sendmsg", -sent);
}

}  // namespace casemate::container
