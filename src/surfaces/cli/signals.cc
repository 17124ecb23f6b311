#include "surfaces/cli/signals.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace casemate {
namespace {

constexpr unsigned kPatienceSeconds = 3;
constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGPIPE};

std::atomic<int> g_event_fd = -1;
std::atomic<int> g_first_signal = 0;
std::atomic<int> g_count = 0;
std::array<struct sigaction, kSignals.size()> g_former;

void Wake() {
  const std::uint64_t one = 1;
  const int saved = errno;
  (void)!::write(g_event_fd, &one, sizeof one);
  errno = saved;
}

// Async-signal-safe throughout.
void OnSignal(int number) {
  int none = 0;
  g_first_signal.compare_exchange_strong(none, number);
  switch (++g_count) {
    case 1:
      Wake();
      break;
    case 2:
      ::alarm(kPatienceSeconds);
      break;
    default:
      ::_exit(128 + g_first_signal);
  }
}

void OnAlarm(int) { ::_exit(128 + g_first_signal); }

}  // namespace

CancelSignals::CancelSignals() {
  g_first_signal = 0;
  g_count = 0;
  g_event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = kSignals[i] == SIGPIPE ? SIG_IGN : kSignals[i] == SIGALRM ? OnAlarm : OnSignal;
    ::sigaction(kSignals[i], &action, &g_former[i]);
    // nohup(1): who started us wants the run to outlive the terminal.
    const bool ignored = g_former[i].sa_handler == SIG_IGN && (g_former[i].sa_flags & SA_SIGINFO) == 0;
    if (ignored) ::sigaction(kSignals[i], &g_former[i], nullptr);
  }
}

CancelSignals::~CancelSignals() {
  ::alarm(0);
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &g_former[i], nullptr);
  ::close(g_event_fd.exchange(-1));
}

int CancelSignals::fd() const { return g_event_fd; }
void CancelSignals::Cancel() { Wake(); }
int CancelSignals::received() { return g_first_signal; }

}  // namespace casemate
