#include "surfaces/ship/ship_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "policy/nearest.h"
#include "policy/units.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Applied AddSink(ShipOptions& options, std::string_view value) {
  auto target = ship::ParseTarget(value);
  if (!target) return std::unexpected(target.error());
  const auto same = std::ranges::find(options.targets, target->name, &ship::Target::name);
  if (same != options.targets.end()) return Refuse(fmt::format("{} is named twice", target->text));
  options.targets.push_back(*std::move(target));
  return {};
}

Applied SetLifeline(ShipOptions& options, std::string_view value) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.lifeline);
  if (error != std::errc() || end != value.data() + value.size() || options.lifeline < 0)
    return Refuse(fmt::format("\"{}\" is no number of a descriptor", value));
  return {};
}

Applied SetTimeout(ShipOptions& options, std::string_view value) {
  const auto ms = ParseDurationMs(value);
  if (!ms) return std::unexpected(ms.error());
  constexpr std::int64_t kHourMs = 3'600'000;
  if (*ms < 0 || *ms > kHourMs) return Refuse(fmt::format("\"{}\" is more than an hour", value));
  options.timeout_ms = *ms;
  return {};
}

Applied SetLevel(ShipOptions& options, std::string_view value) {
  const auto level = ParseLogLevel(value);
  if (!level) return Refuse(fmt::format("\"{}\" is none of debug, info, warning and error", value));
  options.log_level = *level;
  return {};
}

Applied SetFormat(ShipOptions& options, std::string_view value) {
  const auto format = ParseLogFormat(value);
  if (!format) return Refuse(fmt::format("\"{}\" is neither logfmt nor json", value));
  options.log_format = *format;
  return {};
}

struct ShipFlag {
  std::string_view name;      // without "--"
  std::string_view argument;  // its name in the help; "" for a flag without a value
  Applied (*apply)(ShipOptions&, std::string_view);
  std::string_view help;
};

constexpr std::array kFlags = {
    ShipFlag{"sink", "SINK", AddSink,
             "where to: syslog[:SOCKET], journald[:SOCKET], otlp:URL, otlp-traces:URL; may be repeated"},
    ShipFlag{"follow", "", [](ShipOptions& o, std::string_view) { return o.follow = true, Applied(); },
             "stay, and ship records as they come"},
    ShipFlag{"timeout", "TIME", SetTimeout,
             "how long to try with what is there, when it does not follow or is about to end (30s)"},
    ShipFlag{"lifeline", "FD", SetLifeline, "stop following when the other end of this pipe is closed"},
    ShipFlag{"state-dir", "DIR",
             [](ShipOptions& o, std::string_view v) { return o.state_dir = v, Applied(); },
             "whose log ($CASEMATE_STATE_DIR or the XDG state folder)"},
    ShipFlag{"log-level", "LEVEL", SetLevel, "debug, info, warning or error (info)"},
    ShipFlag{"log-format", "FORMAT", SetFormat, "logfmt or json (logfmt)"},
};

Expected<void> ApplyWord(ShipOptions& options, const std::vector<std::string>& words, std::size_t& i) {
  const std::string_view word = words[i];
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto* const flag = std::ranges::find_if(
      kFlags, [name](const ShipFlag& f) { return name.starts_with("--") && name.substr(2) == f.name; });
  if (flag == kFlags.end()) {
    std::vector<std::string_view> known;
    for (const ShipFlag& each : kFlags) known.push_back(each.name);
    const std::string_view nearest = name.starts_with("--") ? NearestName(name.substr(2), known) : "";
    return Refuse(
        nearest.empty()
            ? fmt::format("casemate audit ship has no \"{}\": \"casemate audit ship --help\" "
                          "lists its flags",
                          name)
            : fmt::format("casemate audit ship has no \"{}\": did you mean \"--{}\"?", name, nearest));
  }
  const bool valued = !flag->argument.empty();
  if (!valued && equals != std::string_view::npos) return Refuse(fmt::format("{} takes no value", name));
  if (valued && equals == std::string_view::npos && i + 1 == words.size())
    return Refuse(fmt::format("{} needs a value: write {} {}", name, name, flag->argument));
  const std::string_view value = !valued                            ? std::string_view()
                                 : equals == std::string_view::npos ? std::string_view(words[++i])
                                                                    : word.substr(equals + 1);
  auto applied = flag->apply(options, value);
  if (!applied) return Refuse(fmt::format("{}: {}", name, applied.error().message));
  return {};
}

}  // namespace

Expected<ShipOptions> ParseShipOptions(const std::vector<std::string>& words) {
  ShipOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--help" || words[i] == "-h") {
      options.help = true;
      return options;
    }
    if (auto applied = ApplyWord(options, words, i); !applied) return std::unexpected(applied.error());
  }
  if (options.targets.empty())
    return Refuse("where to? write casemate audit ship --sink journald, for instance");
  return options;
}

std::string ShipHelp() {
  std::string text =
      "Usage: casemate audit ship --sink SINK [FLAGS]\n\n"
      "Sends the audit log's records, without kept programs, to where others collect them, in order, each at "
      "least\n"
      "once. Where each sink is stands in STATE/audit/sinks. Exit code 0 when all that was there has been "
      "taken, 1\n"
      "when some was lost or waits. \"casemate serve --audit-sink SINK\" does the same as long as it "
      "serves.\n\n"
      "Collectors of OpenTelemetry get OTLP/HTTP, as JSON or as OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf "
      "says, "
      "and what\nthe variables OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE, "
      "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and "
      "OTEL_EXPORTER_OTLP_CLIENT_KEY say.\n\n"
      "Flags:\n";
  for (const ShipFlag& flag : kFlags)
    text += fmt::format("  {:<20}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), flag.help);
  return text;
}

}  // namespace casemate
