#include "surfaces/cli/bench_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "measure/meter.h"
#include "model/refusal.h"
#include "surfaces/cli/bench_options.h"
#include "surfaces/cli/bench_report.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/output_folder.h"
#include "surfaces/cli/resident.h"
#include "surfaces/cli/signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

constexpr std::chrono::milliseconds kRedraw{500};
// The live table tells of the last runs: it shows what changes, and costs little beside what it measures.
constexpr std::size_t kLiveRuns = 500;
constexpr std::size_t kCodeBytesMax = 16 * static_cast<std::size_t>(kMiB);
constexpr std::int64_t kWarmUpMs = 30'000;
constexpr int kWarmUpRuns = 3;  // of each client

int Refuse(const Error& error, const CliStreams& streams, const Style& style) {
  WritePatiently(streams.err, ErrorLine(error, style), -1);
  return ExitCodeOf(RefusalOf(error), 0);
}

Expected<ExecutionRequest> LoadProgram(const BenchOptions& options) {
  ExecutionRequest request;
  request.code = options.program;
  if (options.program_is_code || !FileExists(options.program)) {
    if (!options.program_is_code && options.program.ends_with(".py")) {
      return Fail(ErrorCode::kNotFound, "the program " + options.program +
                                            " is not there: check its spelling and the folder you are in");
    }
    return request;
  }
  auto code = ReadFile(options.program, kCodeBytesMax);
  if (!code) return std::unexpected(code.error());
  request.code = *std::move(code);
  const std::string name = options.program.substr(options.program.rfind('/') + 1);
  if (!name.empty()) request.code_name = name;
  return request;
}

// The resident engine, and no other.
class ResidentEngine : public Engine {
 public:
  explicit ResidentEngine(const RunOptions& options) : options_(options) {}

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen /*cancel_when*/) override {
    ExecutionRequest copy = request;
    auto result = RunResident(options_, copy, sink, cancel_fd);
    if (!result) return RefusalOf(result.error());
    if (*result) return **std::move(result);
    return RefusalOf(
        Error{ErrorCode::kUnavailable, "the resident engine does not answer: look at its messages", ""});
  }

 private:
  const RunOptions& options_;
};

struct Bench {
  std::unique_ptr<Engine> engine;
  bool resident = false;

  // Known after a first run.
  std::string Name() const {
    if (resident) return "resident";
    return engine->Pools().empty() ? "cold" : "warm";
  }
};

// `request` is run once where that tells whether a resident engine answers.
Expected<Bench> ChooseEngine(const BenchOptions& options, const ExecutionRequest& request,
                             const CliServices& services, int cancel_fd) {
  if (options.engine == BenchOptions::Engine::kNearest) {
    ExecutionRequest copy = request;
    const auto result = RunResident(options.run, copy, nullptr, cancel_fd);
    if (!result) return std::unexpected(result.error());
    if (*result) return Bench{std::make_unique<ResidentEngine>(options.run), true};
  }
  EngineOptions own = options.run.engine;
  own.warm.enabled = options.engine != BenchOptions::Engine::kCold;
  own.warm.cells_max = std::max(own.warm.cells_max, 2 * options.clients);
  auto engine = services.make_engine(own);
  if (!engine) return std::unexpected(engine.error());
  return Bench{*std::move(engine)};
}

// Fills caches and pools with runs that are not counted.
std::optional<ExecutionResult> WarmUp(Engine& engine, const ExecutionRequest& request, int clients,
                                      int cancel_fd) {
  Meter ignored;
  auto failure = Measure(
      engine, request,
      {.rounds = std::int64_t{clients} * kWarmUpRuns, .clients = clients, .cancel_fd = cancel_fd}, ignored);
  const auto waits = [&] {
    const auto pools = engine.Pools();
    return std::ranges::any_of(pools, [](const PoolStatus& pool) { return pool.cells_ready == 0; });
  };
  const Deadline deadline = Deadline::After(kWarmUpMs);
  while (!failure && CancelSignals::received() == 0 && waits() && !deadline.Passed()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return failure;
}

// Redraws the table on a terminal while the measuring goes on.
class LiveTable {
 public:
  LiveTable(int fd, std::function<std::string()> draw) : fd_(fd), draw_(std::move(draw)) {
    if (::isatty(fd) == 1) thread_ = std::thread([this] { Loop(); });
  }
  ~LiveTable() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_one();
    if (!thread_.joinable()) return;
    thread_.join();
    WritePatiently(fd_, Erased(), -1);
  }
  LiveTable(const LiveTable&) = delete;
  LiveTable& operator=(const LiveTable&) = delete;

 private:
  void Loop() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kRedraw, [this] { return stopped_; })) {
      const std::string text = Cropped(draw_());
      WritePatiently(fd_, Erased() + text, -1);
      lines_ = std::ranges::count(text, '\n');
    }
  }
  // What scrolls off the top could not be erased again.
  std::string Cropped(std::string text) const {
    winsize size{};
    if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_row < 2) return text;
    std::size_t end = 0;
    for (int row = 1; row < size.ws_row && end < text.size(); ++row) end = text.find('\n', end) + 1;
    text.resize(end);
    return text;
  }
  // Up to the first line of what is drawn, and away with all below it.
  std::string Erased() const { return lines_ == 0 ? "" : "\x1b[" + std::to_string(lines_) + "A\r\x1b[J"; }

  const int fd_;
  const std::function<std::string()> draw_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::atomic<std::ptrdiff_t> lines_ = 0;
  std::thread thread_;
};

int ReportFailure(const ExecutionResult& failure, const CliStreams& streams, const Style& style) {
  WritePatiently(streams.err, Summary(failure, {}, true, style), -1);
  return ExitCodeOf(failure, 0);
}

}  // namespace

int BenchCommandLine(const std::vector<std::string>& words, const CliServices& services,
                     const CliStreams& streams) {
  const auto options = ParseBenchOptions(words);
  if (!options) return Refuse(options.error(), streams, StyleOf(streams.err, true));
  const Style live_style = StyleOf(streams.err, options->run.color);
  const Style style = StyleOf(streams.out, options->run.color);
  if (options->help) {
    return WritePatiently(streams.out, BenchHelp(), -1) == 0 ? kExitOk : kExitFailed;
  }
  const auto request = LoadProgram(*options);
  if (!request) return Refuse(request.error(), streams, live_style);
  CancelSignals signals;
  auto bench = ChooseEngine(*options, *request, services, signals.fd());
  if (!bench) return Refuse(bench.error(), streams, live_style);
  if (const auto failure = WarmUp(*bench->engine, *request, options->clients, signals.fd())) {
    return ReportFailure(*failure, streams, live_style);
  }

  const std::string engine_name = bench->Name();
  Meter meter;
  const bool unicode = options->run.color && LocaleIsUtf8();
  const std::int64_t begin_us = MonotonicUs();
  const auto report = [&](std::size_t runs_max) {
    const double seconds = static_cast<double>(MonotonicUs() - begin_us) / 1e6;
    return BenchReport{engine_name,      options->program, options->rounds,
                       options->clients, seconds,          meter.Report(runs_max)};
  };
  std::optional<ExecutionResult> failure;
  {
    const LiveTable live(streams.err, [&] { return BenchTable(report(kLiveRuns), live_style, unicode); });
    failure =
        Measure(*bench->engine, *request,
                {.rounds = options->rounds, .clients = options->clients, .cancel_fd = signals.fd()}, meter);
  }
  if (failure) return ReportFailure(*failure, streams, live_style);
  const BenchReport end = report(std::numeric_limits<std::size_t>::max());
  const std::string text = options->json
                               ? BenchJson(end)
                               : BenchTable(end, style, unicode) + "\n" + BenchHistogram(end, style, unicode);
  if (WritePatiently(streams.out, text, signals.fd()) != 0) return kExitFailed;
  return CancelSignals::received() != 0 ? 128 + CancelSignals::received() : kExitOk;
}

}  // namespace casemate
