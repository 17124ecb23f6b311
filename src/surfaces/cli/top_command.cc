#include "surfaces/cli/top_command.h"

#include <fmt/format.h>
#include <poll.h>

#include <cstdlib>

#include "base/clock.h"
#include "policy/units.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/serve_signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/cli/top_text.h"
#include "surfaces/http/client.h"
#include "surfaces/http/socket.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate top [FLAGS]\n\n"
    "What a resident engine (casemate serve) does at this moment: runs, denials, limits, pools.\n\n"
    "Flags:\n"
    "  --engine SOCKET   the engine ($CASEMATE_SOCKET, or where casemate serve listens by itself)\n"
    "  --interval TIME   between two looks (1s)\n"
    "  --once            print one screen and end\n";

struct TopOptions {
  std::string socket;
  std::int64_t interval_ms = 1000;
  bool once = false;
  bool help = false;
};

Expected<TopOptions> Parse(const std::vector<std::string>& words) {
  constexpr std::int64_t kLongestMs = 3'600'000;
  constexpr std::int64_t kShortestMs = 100;
  TopOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h") {
      options.help = true;
    } else if (word == "--once") {
      options.once = true;
    } else if ((word == "--engine" || word == "--interval") && i + 1 < words.size()) {
      const std::string& value = words[++i];
      if (word == "--engine") {
        options.socket = value;
        continue;
      }
      const auto ms = ParseDurationMs(value);
      if (!ms || *ms < kShortestMs || *ms > kLongestMs) {
        return Fail(ErrorCode::kInvalidRequest,
                    fmt::format("--interval: \"{}\" is not between 100ms and 1h", value));
      }
      options.interval_ms = *ms;
    } else {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("casemate top has no \"{}\": it takes --engine SOCKET, --interval TIME and --once",
                      word));
    }
  }
  if (options.socket.empty()) {
    const char* path =
        std::getenv("CASEMATE_SOCKET");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    options.socket = path != nullptr && *path != '\0' ? path : http::DefaultSocketPath();
  }
  return options;
}

Expected<TopSample> Look(const TopOptions& options) {
  const auto text = http::GetAt(options.socket, "/metrics");
  if (!text) return std::unexpected(text.error());
  return ReadMetrics(*text, MonotonicUs());
}

Expected<int> Watch(const TopOptions& options, const CliStreams& streams) {
  const ServeSignals signals;
  const Style style = StyleOf(streams.out, true);
  auto before = Look(options);
  if (!before) return std::unexpected(before.error());
  for (;;) {
    pollfd entry{signals.fd(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(options.interval_ms)) > 0) return kExitOk;
    auto now = Look(options);
    if (!now) return std::unexpected(now.error());
    // To the top left corner, and all below it away (ECMA-48, CUP and ED).
    const std::string screen = (options.once ? "" : "\x1b[H\x1b[J") + TopText(*before, *now, style);
    if (WritePatiently(streams.out, screen, signals.fd()) != 0) return kExitPipe;
    if (options.once) return kExitOk;
    before = std::move(now);
  }
}

}  // namespace

int TopCommandLine(const std::vector<std::string>& words, const CliStreams& streams) {
  const auto tell = [&streams](const Error& error) {
    WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
    return kExitRefused;
  };
  const auto options = Parse(words);
  if (!options) return tell(options.error());
  if (options->help) return WritePatiently(streams.out, kHelp, -1) == 0 ? kExitOk : kExitFailed;
  const auto code = Watch(*options, streams);
  return code ? *code : tell(code.error());
}

}  // namespace casemate
