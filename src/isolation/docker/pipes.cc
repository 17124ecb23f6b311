#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/errno.h"
#include "isolation/docker/carrier.h"

namespace casemate::docker {
namespace {

struct PipePair {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<PipePair> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace

Expected<Carrier::Ends> MakePipes(const LaunchSpec& spec, std::array<UniqueFd, 5>& channels,
                                  UniqueFd& egress) {
  Carrier::Ends ends;
  const auto join = [&channels](Channel channel, bool program_reads, UniqueFd& inner) -> Expected<void> {
    auto pipe = MakePipe();
    if (!pipe) return std::unexpected(pipe.error());
    inner = std::move(program_reads ? pipe->read_end : pipe->write_end);
    channels[static_cast<std::size_t>(channel)] = std::move(program_reads ? pipe->write_end : pipe->read_end);
    return {};
  };
  Expected<void> done = join(Channel::kStdout, false, ends.stdout_end);
  if (done) done = join(Channel::kStderr, false, ends.stderr_end);
  if (done && spec.stdin_pipe) done = join(Channel::kStdin, true, ends.stdin_end);
  if (done && spec.control_channel) done = join(Channel::kRequest, true, ends.request_end);
  if (done && spec.control_channel) done = join(Channel::kResult, false, ends.result_end);
  if (!done) return std::unexpected(done.error());
  if (!spec.policy.network.open()) return ends;
  auto handover = Connections::MakeHandover();
  if (!handover) return std::unexpected(handover.error());
  ends.handover = std::move(handover->ours);
  ends.network = spec.policy.network.limits;
  egress = std::move(handover->theirs);
  return ends;
}

}  // namespace casemate::docker
