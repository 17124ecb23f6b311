// A thread for each sink, so that none waits for another. Each ships what there is; one that follows looks
// again every kLookEveryMs, or as soon as its sink may be tried again, until a signal or the lifeline's end.
// Then it ships what has come until that moment, for --timeout at most.
#include "surfaces/ship/ship_command.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "audit/store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/state_dir.h"
#include "casemate/redactor.h"
#include "log/logger.h"
#include "secrets/curl/curl_client.h"
#include "ship/shipper.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/serve_signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/ship/ship_options.h"

namespace casemate {
namespace {

constexpr int kLookEveryMs = 250;

// When to end, for all threads.
class Stop {
 public:
  Stop(int signals, int lifeline) : fds_{pollfd{signals, POLLIN, 0}, pollfd{lifeline, POLLIN, 0}} {}
  // Waits for `ms`; whether it is time to end.
  bool Wait(std::int64_t ms) const {
    std::array<pollfd, 2> fds = fds_;
    return ::poll(fds.data(), fds.size(), static_cast<int>(ms)) > 0;
  }

 private:
  const std::array<pollfd, 2> fds_;
};

class Worker {
 public:
  Worker(ship::Shipper& shipper, const ShipOptions& options, const Stop& stop, Logger& logger)
      : shipper_(shipper), options_(options), stop_(stop), logger_(logger) {}

  // Whether all has been taken.
  bool Run() {
    Deadline deadline = Deadline::After(options_.timeout_ms);
    bool ending = !options_.follow;
    std::int64_t retry_ms = kLookEveryMs;
    for (;;) {
      const auto step = shipper_.Next();
      std::int64_t pause_ms = 0;
      if (!step) {
        Tell(step.error().ToString());
        if (ending) return false;
        pause_ms = retry_ms = std::min<std::int64_t>(retry_ms * 2, kLongestRetryMs);
      } else if (*step == ship::Shipper::Step::kIdle) {
        if (ending) return true;
        pause_ms = kLookEveryMs;
      } else if (*step == ship::Shipper::Step::kWaiting) {
        pause_ms = shipper_.wait_ms();
      }
      if (ending && deadline.Passed()) return false;
      if (ending) pause_ms = std::min(pause_ms, deadline.RemainingMs());
      if (Pause(pause_ms, ending)) {
        ending = true;
        deadline = Deadline::After(options_.timeout_ms);
      }
    }
  }

 private:
  static constexpr std::int64_t kLongestRetryMs = 30'000;

  // True when it has become time to end.
  bool Pause(std::int64_t ms, bool ending) const {
    if (!ending) return stop_.Wait(ms);
    const timespec nap{ms / 1000, (ms % 1000) * 1'000'000};
    ::nanosleep(&nap, nullptr);
    return false;
  }
  void Tell(const std::string& sentence) {
    if (sentence == told_) return;
    told_ = sentence;
    logger_.Log(LogLevel::kError, sentence);
  }

  ship::Shipper& shipper_;
  const ShipOptions& options_;
  const Stop& stop_;
  Logger& logger_;
  std::string told_;
};

int Tell(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

const char* Variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
}

Expected<std::vector<std::unique_ptr<ship::Shipper>>> MakeShippers(const ShipOptions& options, Logger& logger,
                                                                   secrets::HttpClient& client) {
  const auto collector = ship::CollectorOptionsOf(Variable);
  if (!collector) return std::unexpected(collector.error());
  const std::string folder = audit::LogFolder(FindStateDir(options.state_dir));
  // Nothing may have run yet; a log to follow will come.
  if (!options.follow && !FileExists(folder)) {
    const auto segments = audit::ListSegments(folder);
    if (!segments) return std::unexpected(segments.error());
  }
  std::vector<std::unique_ptr<ship::Shipper>> shippers;
  for (const ship::Target& target : options.targets) {
    auto shipper = ship::Shipper::Make(folder, target, ship::MakeSink(target, *collector, client),
                                       [&logger](bool bad, const std::string& sentence) {
                                         logger.Log(bad ? LogLevel::kWarning : LogLevel::kInfo, sentence);
                                       });
    if (!shipper) return std::unexpected(shipper.error());
    shippers.push_back(*std::move(shipper));
  }
  return shippers;
}

}  // namespace

int ShipMain(const std::vector<std::string>& words, const CliStreams& streams) {
  const auto options = ParseShipOptions(words);
  if (!options) return Tell(options.error(), streams);
  if (options->help) return WritePatiently(streams.out, ShipHelp(), -1) == 0 ? kExitOk : kExitFailed;
  const ServeSignals signals;
  const auto redactor = MakeRedactor({}, {});
  if (!redactor) return Tell(redactor.error(), streams);
  Logger logger(streams.err, options->log_level, options->log_format,
                [&redactor](std::string_view text) { return (*redactor)->Text(text, "log").text(); });
  const auto client = secrets::MakeCurlClient();
  const auto shippers = MakeShippers(*options, logger, *client);
  if (!shippers) return Tell(shippers.error(), streams);
  const Stop stop(signals.fd(), options->lifeline);
  std::atomic<bool> all = true;
  std::vector<std::thread> threads;
  threads.reserve(shippers->size());
  for (const auto& shipper : *shippers) {
    threads.emplace_back([&, shipper = shipper.get()] {
      const std::int64_t lost_before = shipper->state().lost;
      const bool taken = Worker(*shipper, *options, stop, logger).Run();
      if (!taken || shipper->state().lost > lost_before) all = false;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& shipper : *shippers) {
    const audit::SinkState& state = shipper->state();
    logger.Log(LogLevel::kInfo, "shipped",
               {{"sink", state.target},
                {"seq", fmt::format("{}", state.seq)},
                {"sent", fmt::format("{}", state.sent)},
                {"lost", fmt::format("{}", state.lost)},
                {"trouble", state.trouble}});
  }
  return all ? kExitOk : kExitUnhealthy;
}

}  // namespace casemate
