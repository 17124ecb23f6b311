#include "surfaces/cli/batch_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>

#include "policy/units.h"
#include "surfaces/cli/stream_writer.h"

namespace casemate {
namespace {

constexpr std::chrono::milliseconds kRedraw{250};
constexpr std::chrono::seconds kLogLine{10};
constexpr std::size_t kBarCells = 24;
constexpr std::string_view kEraseLine = "\r\x1b[K";

std::int64_t DoneOf(const BatchProgress& progress) { return progress.totals.items + progress.skipped; }

double RateOf(const BatchProgress& progress) {
  return progress.seconds > 0 ? static_cast<double>(progress.totals.items) / progress.seconds : 0;
}

std::optional<double> ShareOf(const BatchProgress& progress) {
  if (!progress.items) return progress.share_read;
  if (*progress.items == 0) return 1;
  return std::min(1.0, static_cast<double>(DoneOf(progress)) / static_cast<double>(*progress.items));
}

// By the items where they are counted, otherwise by the bytes read.
std::optional<double> SecondsLeft(const BatchProgress& progress) {
  const double rate = RateOf(progress);
  if (progress.items && rate > 0) return static_cast<double>(*progress.items - DoneOf(progress)) / rate;
  const auto share = progress.share_read;
  if (!share || *share <= 0 || progress.totals.items == 0) return std::nullopt;
  return progress.seconds * (1 - *share) / *share;
}

std::string Duration(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", std::max(0.0, seconds));
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string Rate(double rate) {
  return rate < 10 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

std::string Counts(const BatchTotals& totals) {
  std::string text;
  for (const auto& [status, count] : totals.by_status) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, StatusName(status));
  }
  return text;
}

Colour ColourOf(Status status) {
  if (status == Status::kOk) return Colour::kGreen;
  return status == Status::kFailed || status == Status::kUnavailable ? Colour::kRed : Colour::kYellow;
}

// Eighths of a cell, so that the bar moves on a slow batch too.
std::string Bar(double share, bool unicode) {
  constexpr std::array kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double cells = share * static_cast<double>(kBarCells);
  const auto full = static_cast<std::size_t>(cells);
  std::string bar;
  for (std::size_t i = 0; i < full; ++i) bar += unicode ? "█" : "#";
  std::size_t used = full;
  if (const auto part = static_cast<std::size_t>((cells - static_cast<double>(full)) * 8);
      unicode && part > 0 && full < kBarCells) {
    bar += kEighths[part];
    ++used;
  }
  for (; used < kBarCells; ++used) bar += unicode ? "░" : ".";
  return unicode ? bar : "[" + bar + "]";
}

}  // namespace

std::string ProgressBar(const BatchProgress& progress, const Style& style, bool unicode) {
  std::string line;
  std::size_t columns = 0;
  const auto add = [&](const std::string& text, std::size_t width, std::optional<Colour> colour) {
    const std::size_t gap = line.empty() ? 0 : 2;
    if (columns + gap + width >= style.columns) return;
    line += std::string(gap, ' ') + (colour ? style.Paint(*colour, text) : text);
    columns += gap + width;
  };
  const auto share = ShareOf(progress);
  if (share) {
    add(Bar(*share, unicode), unicode ? kBarCells : kBarCells + 2, Colour::kGreen);
    const std::string percent = fmt::format("{:3.0f}%", std::floor(*share * 100));
    add(percent, percent.size(), std::nullopt);
  }
  std::string done = std::to_string(DoneOf(progress));
  if (progress.items) done += fmt::format("/{}", *progress.items);
  add(done, done.size(), Colour::kBold);
  const std::string rate = Rate(RateOf(progress)) + "/s";
  add(rate, rate.size(), std::nullopt);
  if (const auto left = SecondsLeft(progress)) {
    const std::string eta = "eta " + Duration(*left);
    add(eta, eta.size(), std::nullopt);
  }
  for (const auto& [status, count] : progress.totals.by_status) {
    const std::string text = fmt::format("{} {}", StatusName(status), count);
    add(text, text.size(), ColourOf(status));
  }
  return line;
}

std::string ProgressText(const BatchProgress& progress) {
  std::string text = std::to_string(DoneOf(progress));
  if (progress.items) text += fmt::format(" of {}", *progress.items);
  text += fmt::format(" done, {} a second", Rate(RateOf(progress)));
  if (const auto left = SecondsLeft(progress)) text += fmt::format(", {} left", Duration(*left));
  const std::string counts = Counts(progress.totals);
  return counts.empty() ? text : text + ": " + counts;
}

std::string BatchSummary(const BatchProgress& progress, const Style& style) {
  const BatchTotals& totals = progress.totals;
  const auto line = [&](std::string_view label, Colour colour, const std::string& text) {
    return style.Paint(colour, fmt::format("{:<9} ", label)) + text + "\n";
  };
  const bool all_well = !totals.cancelled && !totals.by_status.contains(Status::kFailed) &&
                        !totals.by_status.contains(Status::kUnavailable);
  std::string text =
      line("batch", all_well ? Colour::kGreen : Colour::kYellow,
           fmt::format("{} items in {} ({} a second){}{}", totals.items, Duration(progress.seconds),
                       Rate(RateOf(progress)), totals.items > 0 ? ": " : "", Counts(totals)));
  if (totals.items > 0) {
    text += line("usage", Colour::kDim,
                 fmt::format("{} of CPU time and {} of wall time in all; the largest run took {} of memory",
                             Duration(static_cast<double>(totals.cpu_ms) / 1000),
                             Duration(static_cast<double>(totals.wall_ms) / 1000),
                             FormatBytes(totals.memory_peak_bytes)));
  }
  if (progress.skipped > 0) {
    text += line("skipped", Colour::kDim, fmt::format("{} items had their result already", progress.skipped));
  }
  if (totals.cancelled) {
    text += line("cancelled", Colour::kYellow, "the batch was cancelled before its end");
  }
  return text;
}

ProgressPrinter::ProgressPrinter(int fd, const Style& style, bool unicode, int cancel_fd,
                                 std::function<BatchProgress()> look)
    : fd_(fd),
      style_(style),
      unicode_(unicode),
      terminal_(::isatty(fd) == 1),
      cancel_fd_(cancel_fd),
      look_(std::move(look)) {
  // Signals are for the main thread: it is the one whose calls they must interrupt.
  sigset_t all;
  sigset_t former;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &former);
  thread_ = std::thread([this] { Loop(); });
  ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

void ProgressPrinter::Stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  stop_changed_.notify_one();
  thread_.join();
  if (terminal_) WritePatiently(fd_, kEraseLine, cancel_fd_);
}

void ProgressPrinter::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto pause = terminal_ ? std::chrono::milliseconds(kRedraw) : std::chrono::milliseconds(kLogLine);
    if (stop_changed_.wait_for(lock, pause, [this] { return stopped_; })) return;
    lock.unlock();
    const BatchProgress progress = look_();
    const std::string text = terminal_ ? std::string(kEraseLine) + ProgressBar(progress, style_, unicode_)
                                       : "batch     " + ProgressText(progress) + "\n";
    WritePatiently(fd_, text, cancel_fd_);
    lock.lock();
  }
}

}  // namespace casemate
