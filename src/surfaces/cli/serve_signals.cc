#include "surfaces/cli/serve_signals.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace casemate {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// Made once and never closed: a handler may be about to write to it, in any thread.
std::atomic<int> g_event_fd = -1;
std::atomic<int> g_count = 0;
std::array<struct sigaction, kSignals.size()> g_former;

// Async-signal-safe throughout. Handlers and not a blocked mask with signalfd(2): a mask would be inherited
// by every program in a sandbox.
void OnSignal(int number) {
  if (++g_count > 1) ::_exit(128 + number);
  const std::uint64_t one = 1;
  const int saved = errno;
  (void)!::write(g_event_fd, &one, sizeof one);
  errno = saved;
}

}  // namespace

ServeSignals::ServeSignals() {
  g_count = 0;
  if (g_event_fd < 0) g_event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::uint64_t of_the_last = 0;
  (void)!::read(g_event_fd, &of_the_last, sizeof of_the_last);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : OnSignal;
    ::sigaction(kSignals[i], &action, &g_former[i]);
    // nohup(1): who started us wants the engine to outlive the terminal.
    if (kSignals[i] == SIGHUP && g_former[i].sa_handler == SIG_IGN)
      ::sigaction(SIGHUP, &g_former[i], nullptr);
  }
}

ServeSignals::~ServeSignals() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &g_former[i], nullptr);
}

int ServeSignals::fd() const { return g_event_fd; }

}  // namespace casemate
