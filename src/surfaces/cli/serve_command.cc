#include "surfaces/cli/serve_command.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/errno.h"
#include "base/state_dir.h"
#include "base/unique_fd.h"
#include "casemate/redactor.h"
#include "keys/key_store.h"
#include "log/logged_engine.h"
#include "log/logger.h"
#include "metrics/audit_metrics.h"
#include "metrics/metered_engine.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/serve_options.h"
#include "surfaces/cli/serve_signals.h"
#include "surfaces/cli/serve_sinks.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/http/server.h"
#include "surfaces/http/tcp.h"
#include "surfaces/http/tls.h"

namespace casemate {
namespace {

// sd_notify(3): one datagram to the socket that the service manager names; "@" stands for an abstract one.
void NotifyManager(std::string_view state) {
  const char* path =
      std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  sockaddr_un name{};
  if (path == nullptr || *path == '\0' || std::strlen(path) >= sizeof name.sun_path) return;
  const std::size_t length = std::strlen(path);
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path, length);
  if (name.sun_path[0] == '@') name.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)!::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&name),
                  size);
}

// A descriptor that becomes readable on a signal, and when the other end of `lifeline` is closed: an engine
// that was started for one process ends with it, however that ended.
Expected<UniqueFd> StopWith(int signals, int lifeline) {
  UniqueFd both(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event signalled{EPOLLIN, {}};
  // A hang-up is told without being asked for; what is written there is of no meaning.
  epoll_event hung_up{EPOLLRDHUP, {}};
  if (!both.valid() || ::epoll_ctl(both.get(), EPOLL_CTL_ADD, signals, &signalled) != 0 ||
      ::epoll_ctl(both.get(), EPOLL_CTL_ADD, lifeline, &hung_up) != 0) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("--lifeline {}: there is no open pipe or socket of that number", lifeline),
                "epoll_ctl: " + ErrnoName(errno));
  }
  return both;
}

int Refuse(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

// The TCP address, if there is one.
struct Network {
  std::optional<http::TcpListener> listener;
  std::unique_ptr<http::TlsContext> tls;
};

Expected<Network> OpenNetwork(const ServeOptions& options) {
  Network network;
  if (options.listen.empty()) return network;
  if (!options.insecure_no_key) {
    const auto usable = KeyStore(FindStateDir(options.engine.state_dir)).HasUsable(WallClockUs());
    if (!usable) return std::unexpected(usable.error());
    if (!*usable) {
      return Fail(ErrorCode::kInvalidRequest,
                  "nobody has a key for the address to listen at: make one with casemate keys add NAME");
    }
  }
  if (!options.tls_certificate.empty()) {
    auto tls = http::TlsContext::Load(options.tls_certificate, options.tls_key);
    if (!tls) return std::unexpected(tls.error());
    network.tls = *std::move(tls);
  }
  auto listener = http::TcpListener::Open(*http::ParseTcpAddress(options.listen));
  if (!listener) return std::unexpected(listener.error());
  network.listener.emplace(*std::move(listener));
  return network;
}

http::HandlerOptions HandlerOptionsOf(const ServeOptions& options) {
  const auto address = http::ParseTcpAddress(options.listen);
  return {.state_dir = FindStateDir(options.engine.state_dir),
          .let_in_without_key = options.insecure_no_key,
          .on_loopback = !address || address->loopback,
          .cors_origins = options.cors_origins,
          .runs = options.runs};
}

// Lets the server listen there too; how that is told.
std::string Join(http::Server& server, Network& network) {
  if (!network.listener) return "";
  const http::TlsContext* tls = network.tls.get();
  std::string told = fmt::format(" and {}://{}", tls != nullptr ? "https" : "http", network.listener->name());
  server.Listen(*std::move(network.listener),
                tls != nullptr ? http::WireMaker([tls](int fd) { return tls->Wrap(fd); }) : nullptr);
  return told;
}

// The engine takes them from there, as that of any command does. Before the first thread.
void SetAuditVariables(const ServeOptions& options) {
  const auto set = [](const char* name, const std::string& value) {
    if (!value.empty()) ::setenv(name, value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): as above
  };
  set("CASEMATE_AUDIT_KEEP", options.audit_keep);
  set("CASEMATE_AUDIT_KEEP_BYTES", options.audit_keep_bytes);
}

Logger::Clean Cleaner(Redactor& redactor) {
  return [&redactor](std::string_view text) { return redactor.Text(text, "log").text(); };
}

// casemate-ship as long as this lives; null where there is no sink.
Expected<std::unique_ptr<SinkProcess>> StartSinks(const ServeOptions& options, Logger& logger) {
  if (options.audit_sinks.empty()) return nullptr;
  std::vector<std::string> words = {"--follow",
                                    "--state-dir",
                                    FindStateDir(options.engine.state_dir),
                                    "--timeout",
                                    fmt::format("{}ms", SinkProcess::kDrainMs),
                                    "--log-level",
                                    std::string(LogLevelName(options.log_level)),
                                    "--log-format",
                                    options.log_format == LogFormat::kJson ? "json" : "logfmt"};
  for (const std::string& sink : options.audit_sinks) words.insert(words.end(), {"--sink", sink});
  return SinkProcess::Start(
      std::move(words), [&logger](const std::string& sentence) { logger.Log(LogLevel::kError, sentence); });
}

// What one large output took is given back when it is answered. By default glibc raises the size from which
// memory is mapped by itself, up to 32 MiB, at the first such buffer that is freed, and then each of its
// arenas, eight for each processor, keeps the largest output that it ever held (mallopt(3)).
void KeepNoLargeBuffers() {
  constexpr int kLargeBytes = 256 << 10;
  ::mallopt(M_MMAP_THRESHOLD, kLargeBytes);
}

// The families of /metrics that are not of runs.
std::vector<MeteredEngine::Part> MoreMetrics(const ServeOptions& options, const http::Handler& handler,
                                             const Logger& logger) {
  return {[&handler](Exposition& out) {
            out.Family("casemate_queue_waiting", "gauge", "Requests that wait for a place to run at.");
            out.Sample({}, handler.waiting());
          },
          [&logger](Exposition& out) {
            out.Family("casemate_log_lines_dropped_total", "counter", "Log lines that nobody read in time.");
            out.Sample({}, static_cast<double>(logger.dropped()));
          },
          [state_dir = FindStateDir(options.engine.state_dir)](Exposition& out) {
            WriteAuditMetrics(state_dir, out);
          }};
}

}  // namespace

int ServeCommandLine(const std::vector<std::string>& words, const CliServices& services,
                     const CliStreams& streams) {
  auto options = ParseServeOptions(words);
  if (!options) return Refuse(options.error(), streams);
  if (options->help) return WritePatiently(streams.out, ServeHelp(), -1) == 0 ? kExitOk : kExitFailed;
  const std::string path = options->socket.empty() ? http::DefaultSocketPath() : options->socket;
  if (path.empty()) {
    return Refuse({ErrorCode::kInvalidRequest,
                   "there is no place for the socket: set XDG_RUNTIME_DIR or name a path with --socket", ""},
                  streams);
  }
  KeepNoLargeBuffers();
  const ServeSignals signals;
  UniqueFd stop;
  if (options->lifeline >= 0) {
    auto both = StopWith(signals.fd(), options->lifeline);
    if (!both) return Refuse(both.error(), streams);
    stop = *std::move(both);
  }
  // First, so that a second engine is refused before it starts anything.
  auto listener = http::Listener::Open(path);
  if (!listener) return Refuse(listener.error(), streams);
  auto network = OpenNetwork(*options);
  if (!network) return Refuse(network.error(), streams);
  const auto redactor = MakeRedactor({}, {});
  if (!redactor) return Refuse(redactor.error(), streams);
  Logger logger(streams.err, options->log_level, options->log_format, Cleaner(**redactor));
  SetAuditVariables(*options);
  // Before the engine, so that it outlives it: the last record is the engine's own, at its end.
  const auto sinks = StartSinks(*options, logger);
  if (!sinks) return Refuse(sinks.error(), streams);
  options->engine.tell = [&logger](const std::string& sentence) { logger.Log(LogLevel::kError, sentence); };
  const auto engine = services.make_engine(options->engine);
  if (!engine) return Refuse(engine.error(), streams);

  LoggedEngine logged(**engine, logger);
  MeteredEngine metered(logged, CASEMATE_VERSION);
  std::vector<MeteredEngine::Part> parts;
  http::Handler handler(
      metered, CASEMATE_VERSION, [&] { return metered.Text(parts); }, HandlerOptionsOf(*options));
  parts = MoreMetrics(*options, handler, logger);
  http::Server server(*std::move(listener), handler, options->server);
  const std::string also = Join(server, *network);
  logger.Log(LogLevel::kInfo, fmt::format("serving at {}{}", path, also),
             {{"pid", fmt::format("{}", ::getpid())}, {"version", CASEMATE_VERSION}});
  NotifyManager("READY=1");
  server.Serve(stop.valid() ? stop.get() : signals.fd(), options->drain_ms);
  logger.Log(LogLevel::kInfo, "stopped serving");
  // Who made it for this engine may not be there any more. What is not empty stays.
  if (stop.valid()) ::rmdir(path.substr(0, path.rfind('/')).c_str());
  return kExitOk;
}

}  // namespace casemate
