#include "surfaces/cli/serve_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>

#include "policy/age.h"
#include "policy/nearest.h"
#include "policy/units.h"
#include "surfaces/http/tcp.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<int> Count(std::string_view text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return Refuse(fmt::format("\"{}\" is no whole number from {} to {}", text, min, max));
  }
  return value;
}

Expected<std::int64_t> Duration(std::string_view text) {
  constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
  auto ms = ParseDurationMs(text);
  if (ms && (*ms < 0 || *ms > kDayMs)) return Refuse(fmt::format("\"{}\" is more than a day", text));
  return ms;
}

bool IsModuleName(std::string_view name) {
  bool at_start = true;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool digit = c >= '0' && c <= '9';
    if (c == '.' ? at_start : !letter && (!digit || at_start)) return false;
    at_start = c == '.';
  }
  return !at_start;
}

Applied SetPreload(ServeOptions& options, std::string_view value) {
  options.engine.warm.preload.clear();
  while (!value.empty()) {
    const std::size_t comma = value.find(',');
    const std::string_view name = value.substr(0, comma);
    if (!IsModuleName(name)) {
      return Refuse(fmt::format("\"{}\" is no module's name: write them as numpy,pandas", name));
    }
    options.engine.warm.preload.emplace_back(name);
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  return {};
}

// No host holds more idle cells, and each connection is a thread.
constexpr int kCellsMax = 4096;
constexpr int kConnectionsMax = 4096;

Applied SetPoolSize(ServeOptions& options, std::string_view value) {
  const auto size = Count(value, 0, kCellsMax);
  if (!size) return std::unexpected(size.error());
  options.engine.warm.enabled = *size > 0;
  options.engine.warm.cells_max = *size;
  return {};
}

Applied SetPoolIdle(ServeOptions& options, std::string_view value) {
  const auto ms = Duration(value);
  if (!ms) return std::unexpected(ms.error());
  options.engine.warm.idle_expiry_ms = *ms;
  return {};
}

Applied SetDrain(ServeOptions& options, std::string_view value) {
  const auto ms = Duration(value);
  if (!ms) return std::unexpected(ms.error());
  options.drain_ms = *ms;
  return {};
}

Applied SetLifeline(ServeOptions& options, std::string_view value) {
  const auto fd = Count(value, 0, std::numeric_limits<int>::max());
  if (!fd) return std::unexpected(fd.error());
  options.lifeline = *fd;
  return {};
}

Applied SetConnections(ServeOptions& options, std::string_view value) {
  const auto count = Count(value, 1, kConnectionsMax);
  if (!count) return std::unexpected(count.error());
  options.server.connections_max = static_cast<std::size_t>(*count);
  return {};
}

Applied SetRuns(ServeOptions& options, std::string_view value) {
  const auto count = Count(value, 1, kConnectionsMax);
  if (!count) return std::unexpected(count.error());
  options.runs.running_max = *count;
  return {};
}

Applied SetQueue(ServeOptions& options, std::string_view value) {
  const auto ms = Duration(value);
  if (!ms) return std::unexpected(ms.error());
  options.runs.wait_ms = *ms;
  return {};
}

Applied AddSink(ServeOptions& options, std::string_view value) {
  // What follows the colon is for casemate-ship to read.
  constexpr std::array<std::string_view, 4> kKinds = {"syslog", "journald", "otlp", "otlp-traces"};
  if (std::ranges::find(kKinds, value.substr(0, value.find(':'))) == kKinds.end()) {
    return Refuse(fmt::format(
        "\"{}\" is no sink: write syslog[:SOCKET], journald[:SOCKET], otlp:URL or otlp-traces:URL", value));
  }
  options.audit_sinks.emplace_back(value);
  return {};
}

Applied SetKeep(ServeOptions& options, std::string_view value) {
  const auto age = ParseAgeUs(value);
  if (!age) return std::unexpected(age.error());
  options.audit_keep = value;
  return {};
}

Applied SetKeepBytes(ServeOptions& options, std::string_view value) {
  const auto bytes = ParseBytes(value);
  if (!bytes) return std::unexpected(bytes.error());
  options.audit_keep_bytes = value;
  return {};
}

Applied SetLogLevel(ServeOptions& options, std::string_view value) {
  const auto level = ParseLogLevel(value);
  if (!level) return Refuse(fmt::format("\"{}\" is none of debug, info, warning and error", value));
  options.log_level = *level;
  return {};
}

Applied SetLogFormat(ServeOptions& options, std::string_view value) {
  const auto format = ParseLogFormat(value);
  if (!format) return Refuse(fmt::format("\"{}\" is neither logfmt nor json", value));
  options.log_format = *format;
  return {};
}

Applied SetOrigin(ServeOptions& options, std::string_view value) {
  const bool origin = (value.starts_with("http://") || value.starts_with("https://")) &&
                      value.find_first_of("\r\n ,") == value.npos && !value.ends_with('/');
  if (!origin && value != "*") {
    return Refuse(fmt::format("\"{}\" is no origin: write https://app.example.org, or * for all", value));
  }
  options.cors_origins.emplace_back(value);
  return {};
}

struct ServeFlag {
  std::string_view name;      // without "--"
  std::string_view argument;  // its name in the help; "" for a flag without a value
  Applied (*apply)(ServeOptions&, std::string_view);
  std::string_view help;
};

constexpr std::array kFlags = {
    ServeFlag{"socket", "PATH",
              [](ServeOptions& o, std::string_view v) -> Applied {
                if (v.empty()) return Refuse("the path is empty");
                o.socket = v;
                return {};
              },
              "where to listen (/run/casemate/engine.sock or $XDG_RUNTIME_DIR/casemate/engine.sock)"},
    ServeFlag{"listen", "HOST:PORT",
              [](ServeOptions& o, std::string_view v) -> Applied {
                if (auto address = http::ParseTcpAddress(v); !address)
                  return std::unexpected(address.error());
                o.listen = v;
                return {};
              },
              "listen at a TCP address too, for those who have a key (casemate keys add)"},
    ServeFlag{"tls-cert", "FILE",
              [](ServeOptions& o, std::string_view v) -> Applied {
                o.tls_certificate = v;
                return {};
              },
              "its certificate, in PEM"},
    ServeFlag{"tls-key", "FILE",
              [](ServeOptions& o, std::string_view v) -> Applied {
                o.tls_key = v;
                return {};
              },
              "and its private key"},
    ServeFlag{"cors-origin", "ORIGIN", SetOrigin,
              "whose web pages may ask and read the answers; may be repeated (none)"},
    ServeFlag{"max-runs", "COUNT", SetRuns, "programs at one time; more wait (256)"},
    ServeFlag{"queue-timeout", "TIME", SetQueue,
              "how long they wait before they are told to come back (30s)"},
    ServeFlag{"audit-sink", "SINK", AddSink,
              "send the audit log's records there: syslog[:SOCKET], journald[:SOCKET], otlp:URL, "
              "otlp-traces:URL; may be repeated (casemate audit ship --help)"},
    ServeFlag{"audit-keep", "AGE", SetKeep,
              "remove segments of the audit log that are older, for instance 90d (keeps all)"},
    ServeFlag{"audit-keep-bytes", "SIZE", SetKeepBytes,
              "remove its oldest segments when all have more, for instance 10g (keeps all)"},
    ServeFlag{"log-level", "LEVEL", SetLogLevel,
              "of what goes to stderr: debug (each run), info, warning or error (info)"},
    ServeFlag{"log-format", "FORMAT", SetLogFormat, "logfmt or json (logfmt)"},
    ServeFlag{"insecure-no-tls", "",
              [](ServeOptions& o, std::string_view) -> Applied {
                o.insecure_no_tls = true;
                return {};
              },
              "INSECURE: let keys and programs cross a network in the clear"},
    ServeFlag{"insecure-no-key", "",
              [](ServeOptions& o, std::string_view) -> Applied {
                o.insecure_no_key = true;
                return {};
              },
              "INSECURE: let whoever reaches the address do all that you may"},
    ServeFlag{"preload", "MODULES", SetPreload, "what warm cells have imported, for instance numpy,pandas"},
    ServeFlag{"pool-size", "COUNT", SetPoolSize, "waiting cells of each pool (16); 0: every run starts cold"},
    ServeFlag{"pool-idle", "TIME", SetPoolIdle, "after which a pool that nobody uses is given up (10m)"},
    ServeFlag{"drain-timeout", "TIME", SetDrain, "what runs have to end after SIGTERM (30s)"},
    ServeFlag{"lifeline", "FD", SetLifeline,
              "end when the other end of this pipe or socket is closed, and take the socket's folder along "
              "if empty"},
    ServeFlag{"max-connections", "COUNT", SetConnections, "connections at one time, at each address (1024)"},
    ServeFlag{"python", "PATH",
              [](ServeOptions& o, std::string_view v) -> Applied {
                o.engine.python = v;
                return {};
              },
              "the host's interpreter (python3 in PATH)"},
    ServeFlag{"state-dir", "DIR",
              [](ServeOptions& o, std::string_view v) -> Applied {
                o.engine.state_dir = v;
                return {};
              },
              "where what was learnt of the host is kept"},
};

std::unexpected<Error> UnknownFlag(std::string_view word) {
  std::vector<std::string_view> known;
  for (const ServeFlag& flag : kFlags) known.push_back(flag.name);
  const std::string_view name = word.substr(0, word.find('='));
  const std::string_view nearest = name.starts_with("--") ? NearestName(name.substr(2), known) : "";
  if (nearest.empty()) {
    return Refuse(
        fmt::format("casemate serve has no \"{}\": \"casemate serve --help\" lists its flags", name));
  }
  return Refuse(fmt::format("casemate serve has no \"{}\": did you mean \"--{}\"?", name, nearest));
}

// What a network address needs, unless its lack is asked for by name.
Applied CheckListening(const ServeOptions& options) {
  const bool tls = !options.tls_certificate.empty();
  if (tls != !options.tls_key.empty()) return Refuse("--tls-cert and --tls-key go together: give both");
  if (options.listen.empty()) {
    if (tls || options.insecure_no_tls || options.insecure_no_key || !options.cors_origins.empty()) {
      return Refuse("TLS, keys and origins are of a TCP address: give --listen HOST:PORT too");
    }
    return {};
  }
  const auto address = http::ParseTcpAddress(options.listen);
  if (!address->loopback && !tls && !options.insecure_no_tls) {
    return Refuse(
        fmt::format("at {} keys and programs would cross the network in the clear: give --tls-cert and "
                    "--tls-key, listen at 127.0.0.1, or say --insecure-no-tls",
                    options.listen));
  }
  return {};
}

}  // namespace

Expected<ServeOptions> ParseServeOptions(const std::vector<std::string>& words) {
  ServeOptions options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--help" || word == "-h") {
      options.help = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const auto flag = std::ranges::find_if(kFlags, [&](const ServeFlag& f) {
      return word.starts_with("--") && word.substr(2, equals == word.npos ? equals : equals - 2) == f.name;
    });
    if (flag == kFlags.end()) return UnknownFlag(word);
    const bool valued = !flag->argument.empty();
    if (!valued && equals != std::string_view::npos) {
      return Refuse(fmt::format("--{} takes no value", flag->name));
    }
    if (valued && equals == std::string_view::npos && i + 1 == words.size()) {
      return Refuse(fmt::format("--{} needs a value: write --{} {}", flag->name, flag->name, flag->argument));
    }
    const std::string_view value = !valued                            ? std::string_view()
                                   : equals == std::string_view::npos ? std::string_view(words[++i])
                                                                      : word.substr(equals + 1);
    if (auto applied = flag->apply(options, value); !applied) {
      return Refuse(fmt::format("--{}: {}", flag->name, applied.error().message));
    }
  }
  if (auto checked = CheckListening(options); !checked) return std::unexpected(checked.error());
  return options;
}

std::string ServeHelp() {
  std::string text =
      "Usage: casemate serve [FLAGS]\n\n"
      "Stays, and runs programs for whoever asks at its unix socket, over HTTP/1.1: docs/http.md, or GET "
      "/openapi.json.\n"
      "\"casemate run\" asks it by itself. SIGTERM lets what runs end; a second signal ends it at once.\n\n"
      "Flags:\n";
  for (const ServeFlag& flag : kFlags) {
    text += fmt::format("  {:<24}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), flag.help);
  }
  return text;
}

}  // namespace casemate
