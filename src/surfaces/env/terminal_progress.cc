#include "surfaces/env/terminal_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "surfaces/cli/stream_writer.h"

namespace casemate {
namespace {

constexpr std::int64_t kDrawEveryUs = 50'000;
constexpr std::int64_t kBarCells = 20;

}  // namespace

TerminalProgress::TerminalProgress(int fd, bool quiet)
    : fd_(fd), quiet_(quiet), terminal_(!quiet && ::isatty(fd) != 0), style_(StyleOf(fd, true)) {}

TerminalProgress::~TerminalProgress() { Clear(); }

void TerminalProgress::Clear() {
  if (drawn_) WritePatiently(fd_, "\r\x1b[K", -1);
  drawn_ = false;
}

void TerminalProgress::Step(std::string_view phase, std::string_view what, std::int64_t done,
                            std::int64_t total) {
  if (!terminal_) return;
  const std::int64_t now = MonotonicUs();
  if (phase == phase_ && now - drawn_at_us_ < kDrawEveryUs) return;
  phase_ = phase;
  drawn_at_us_ = now;
  std::string bar;
  if (total > 0) {
    const std::int64_t full = std::clamp<std::int64_t>(done * kBarCells / total, 0, kBarCells);
    bar = fmt::format("[{}{}] {}/{} ", std::string(static_cast<std::size_t>(full), '#'),
                      std::string(static_cast<std::size_t>(kBarCells - full), ' '), done, total);
  } else if (done > 0) {
    bar = fmt::format("{} ", done);
  }
  const std::string line = fmt::format("environment: {} {}{}", phase, bar, EscapeForTerminal(what));
  WritePatiently(fd_, fmt::format("\r\x1b[K{}", Shorten(line, style_.columns > 1 ? style_.columns - 1 : 1)),
                 -1);
  drawn_ = true;
}

void TerminalProgress::Note(std::string_view sentence) {
  if (quiet_) return;
  Clear();
  WritePatiently(fd_, fmt::format("casemate: {}\n", EscapeForTerminal(sentence)), -1);
}

}  // namespace casemate
