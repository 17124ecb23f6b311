#include "surfaces/cli/caller_terminal.h"

#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <optional>

#include "base/errno.h"
#include "base/unique_fd.h"

namespace casemate {
namespace {

std::atomic<int> g_resized_fd = -1;

void OnResize(int) {
  const std::uint64_t one = 1;
  const int saved = errno;
  (void)!::write(g_resized_fd, &one, sizeof one);
  errno = saved;
}

class Lent : public CallerTerminal {
 public:
  Lent(int in, int out) : in_(in), size_fd_(isatty(out) == 1 ? out : isatty(in) == 1 ? in : -1) {}
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  ~Lent() override {
    if (former_) ::tcsetattr(in_, TCSAFLUSH, &*former_);
    if (!resized_.valid()) return;
    ::sigaction(SIGWINCH, &former_action_, nullptr);
    g_resized_fd = -1;
  }

  Expected<void> FollowSize() {
    if (size_fd_ < 0) return {};
    resized_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!resized_.valid()) return FailErrno(ErrorCode::kInternal, "out of file descriptors", "eventfd");
    g_resized_fd = resized_.get();
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = OnResize;
    ::sigaction(SIGWINCH, &action, &former_action_);
    return {};
  }

  Expected<void> TakeKeys() {
    termios now{};
    if (::tcgetattr(in_, &now) != 0) {
      return Fail(
          ErrorCode::kInvalidRequest,
          "stdin is no terminal, so that nobody could type: leave out --tty to hand a file or a pipe to "
          "the program, or --stdin to show it a terminal that nobody types into");
    }
    termios raw = now;
    ::cfmakeraw(&raw);
    if (::tcsetattr(in_, TCSADRAIN, &raw) != 0)
      return FailErrno(ErrorCode::kInternal, "the terminal does not let its mode be set", "tcsetattr");
    former_ = now;
    return {};
  }

  Terminal terminal() const override { return {size_fd_, resized_.get()}; }

 private:
  int in_;
  int size_fd_;
  UniqueFd resized_;
  struct sigaction former_action_ {};
  std::optional<termios> former_;
};

}  // namespace

Expected<std::unique_ptr<CallerTerminal>> CallerTerminal::Lend(int in, int out, bool forwarded) {
  auto lent = std::make_unique<Lent>(in, out);
  if (auto followed = lent->FollowSize(); !followed) return std::unexpected(followed.error());
  if (forwarded) {
    if (auto taken = lent->TakeKeys(); !taken) return std::unexpected(taken.error());
  }
  return lent;
}

Expected<void> LendTerminal(const RunOptions& options, const CliStreams& streams, ExecutionRequest& request,
                            std::unique_ptr<CallerTerminal>& lent) {
  if (!options.tty) return {};
  auto lending = CallerTerminal::Lend(streams.in, streams.out, options.forward_stdin);
  if (!lending) return std::unexpected(lending.error());
  lent = *std::move(lending);
  request.terminal = lent->terminal();
  return {};
}

}  // namespace casemate
