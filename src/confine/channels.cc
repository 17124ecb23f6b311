#include "confine/channels.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

#include "base/descriptor_message.h"
#include "base/errno.h"

namespace casemate {
namespace {

struct PipePair {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<PipePair> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// A pipe for one channel; the program's end becomes `number` inside.
Expected<void> AddChannel(Channel channel, int number, bool program_reads, EngineEnds& engine,
                          ChannelEnds& ends) {
  auto pipe = MakePipe();
  if (!pipe) return std::unexpected(pipe.error());
  UniqueFd& inside = program_reads ? pipe->read_end : pipe->write_end;
  UniqueFd& outside = program_reads ? pipe->write_end : pipe->read_end;
  // The program is another user to the kernel: without this it could not open its own /dev/stdout. Only
  // processes that hold the pipe have a path to it.
  if (fcntl(outside.get(), F_SETFL, O_NONBLOCK) != 0 || fchmod(inside.get(), 0666) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot set up a pipe", "fcntl");
  }
  ends.moves.push_back({inside.get(), number});
  ends.program.push_back(std::move(inside));
  engine.channels[static_cast<std::size_t>(channel)] = std::move(outside);
  return {};
}

}  // namespace

Expected<ChannelEnds> MakeChannels(const ChannelsWanted& wanted, EngineEnds& engine) {
  ChannelEnds ends;
  Expected<void> done;
  if (wanted.terminal) {
    ends.moves = {{-1, STDIN_FILENO}, {-1, STDOUT_FILENO}, {-1, STDERR_FILENO}};
  } else {
    done = AddChannel(Channel::kStdin, STDIN_FILENO, true, engine, ends);
    if (!wanted.stdin_pipe) engine.channels[static_cast<std::size_t>(Channel::kStdin)].reset();
    if (done) done = AddChannel(Channel::kStdout, STDOUT_FILENO, false, engine, ends);
    if (done) done = AddChannel(Channel::kStderr, STDERR_FILENO, false, engine, ends);
  }
  if (done && wanted.control) done = AddChannel(Channel::kRequest, kRequestFd, true, engine, ends);
  if (done && wanted.control) done = AddChannel(Channel::kResult, kResultFd, false, engine, ends);
  if (!done) return std::unexpected(done.error());
  auto lifeline = MakePipe();
  auto status = MakePipe();
  std::array<int, 2> sockets{};
  if (!lifeline || !status || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  ends.ours.reset(sockets[0]);
  ends.theirs.reset(sockets[1]);
  // After init's end its status is there or never comes; and files go in within the launch's own time.
  const timeval patience{wanted.patience_ms / 1000, 0};
  if (fcntl(status->read_end.get(), F_SETFL, O_NONBLOCK) != 0 ||
      setsockopt(ends.ours.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot set up the launch socket", "setsockopt");
  }
  engine.lifeline = std::move(lifeline->write_end);
  engine.exit_status = std::move(status->read_end);
  ends.lifeline = std::move(lifeline->read_end);
  ends.exit_status = std::move(status->write_end);
  return ends;
}

Expected<bool> ReceiveLaunchMessage(int socket, LaunchMessage& message, std::array<UniqueFd, 2>& fds,
                                    int flags) {
  std::array<int, 2> numbers{};
  std::size_t fd_count = 0;
  const ssize_t count =
      ReceiveDescriptors(socket, std::as_writable_bytes(std::span(&message, 1)), numbers, fd_count, flags);
  if (count == 0 || count == -ECONNRESET) return false;
  for (std::size_t i = 0; i < fd_count; ++i) fds[i].reset(numbers[i]);
  if (count == sizeof(message)) return true;
  return FailErrno(ErrorCode::kInternal, "the sandbox's start was garbled", "recvmsg",
                   count < 0 ? static_cast<int>(-count) : EBADMSG);
}

}  // namespace casemate
