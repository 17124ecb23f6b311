#include "engine/diagnose.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string_view>
#include <thread>
#include <utility>

#include "audit/retention_state.h"
#include "audit/store.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "confine/host_probe.h"
#include "runtime/harness_bytecode.h"

namespace casemate {
namespace {

// Admission says what would hold; only a run shows that it starts.
TierFinding Try(Backend& backend, Engine& engine) {
  TierFinding finding;
  finding.tier = backend.tier();
  finding.runtime = backend.runtime();
  auto admitted = backend.Admit(Policy{});
  if (!admitted) {
    finding.why_not = admitted.error().ToString();
    return finding;
  }
  finding.report = *std::move(admitted);
  // Nobody gets it unasked, and a trial would take half a minute for the first time.
  finding.why_not = backend.why_never_chosen();
  if (!finding.why_not.empty()) return finding;
  ExecutionRequest request;
  request.command = {"true"};
  request.isolation = backend.tier();
  request.runtime = backend.runtime();
  const ExecutionResult result = engine.Execute(request);
  finding.works = result.status == Status::kOk;
  if (!finding.works && result.error) {
    finding.why_not = result.error->message;
    finding.remedy = result.error->hint;
  } else if (!finding.works) {
    finding.why_not = "a program that does nothing ended with " + std::string(StatusName(result.status));
  }
  return finding;
}

HostFinding AboutAudit(const std::string& state_dir) {
  HostFinding finding{"audit retention", HostFinding::State::kOk, "", ""};
  const auto retention = audit::ReadRetentionState(audit::LogFolder(state_dir));
  if (retention && retention->trouble.empty()) {
    finding.detail = fmt::format("{} segments removed so far", retention->pruned_segments);
    return finding;
  }
  finding.state = HostFinding::State::kWeak;
  finding.detail =
      retention ? "the log is not kept within its bounds: " + retention->trouble : retention.error().message;
  finding.remedy = "casemate audit prune --older-than 30d, which says what is in its way";
  return finding;
}

// A socket on the loopback that answers one HTTP request.
struct Answerer {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;
  std::thread thread;

  Answerer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const general = reinterpret_cast<sockaddr*>(&address);  // NOLINT(*-reinterpret-cast): sockets(7)
    if (::bind(listener.get(), general, size) != 0 || ::listen(listener.get(), 1) != 0 ||
        ::getsockname(listener.get(), general, &size) != 0)
      return;
    port = ntohs(address.sin_port);
    thread = std::thread([fd = listener.get()] {
      const UniqueFd peer(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
      const timeval patience{5, 0};
      ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      char request[2048];  // NOLINT(*-avoid-c-arrays): read into, and not looked at
      constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      if (peer.valid() && ::read(peer.get(), request, sizeof request) > 0)
        (void)!::write(peer.get(), kAnswer.data(), kAnswer.size());
    });
  }
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;
  ~Answerer() {
    ::shutdown(listener.get(), SHUT_RDWR);  // wakes accept(2)
    if (thread.joinable()) thread.join();
  }
};

// A request from inside, through a run's own proxy, to a server of this process.
HostFinding AboutNetwork(Engine& engine) {
  HostFinding finding{"egress proxy", HostFinding::State::kOk, "", ""};
  const Answerer answerer;
  ExecutionRequest request;
  request.code = fmt::format(
      "import http.client\nc = http.client.HTTPConnection('127.0.0.1', 3128, timeout=5)\n"
      "c.request('GET', 'http://127.0.0.1:{}/')\nr = c.getresponse()\nprint(r.status, r.read())\n",
      answerer.port);
  NetworkPolicy network;
  network.allow.push_back({fmt::format("127.0.0.1:{}", answerer.port), {}, {}});
  request.network = std::move(network);
  const std::int64_t begin_us = MonotonicUs();
  const ExecutionResult result = engine.Execute(request);
  if (result.status == Status::kOk && result.stdout_text.starts_with("200 b'ok'")) {
    finding.detail = fmt::format("a request of a sandbox went out and came back, {} ms with its run",
                                 (MonotonicUs() - begin_us) / 1000);
    return finding;
  }
  finding.state = HostFinding::State::kMissing;
  finding.detail = result.error
                       ? result.error->message
                       : "a request of a sandbox was answered with " + result.stdout_text.substr(0, 200);
  if (!result.denials.empty()) finding.detail += "; denied: " + result.denials.front().what;
  finding.remedy =
      "use --network none until it works: casemate run --network allow:HOST -- curl HOST tells more";
  return finding;
}

}  // namespace

DoctorReport DiagnoseParts(EngineParts parts) {
  DoctorReport report;
  report.findings = ProbeHost();
  report.state_dir = parts.state_dir;
  if (auto python = FindPython(parts.environment)) {
    report.python = python->path;
    report.python_version = python->version;
    report.python_prefix = python->prefix;
    const auto can = CanRestrict(python->version);
    report.findings.push_back({"restricted programs",
                               can ? HostFinding::State::kOk : HostFinding::State::kWeak,
                               can ? "RestrictedPython 9.0, built in" : can.error().message,
                               can ? "" : "as root: apt-get install python3 (3.11 or later)"});
  } else {
    report.findings.push_back(
        {"python", HostFinding::State::kMissing, python.error().message, "as root: apt-get install python3"});
  }
  std::vector<Backend*> backends;
  for (const auto& backend : parts.backends) backends.push_back(backend.get());
  const std::unique_ptr<Engine> engine = MakeEngineOf(std::move(parts));
  report.findings.push_back(AboutAudit(report.state_dir));
  report.findings.push_back(AboutNetwork(*engine));
  for (Backend* backend : backends) report.tiers.push_back(Try(*backend, *engine));
  report.healthy = !report.python.empty();
  for (const TierFinding& tier : report.tiers) {
    if (tier.tier == Tier::kContainer && tier.runtime.empty()) {
      report.healthy = report.healthy && tier.works && tier.report.not_enforced.empty();
    }
  }
  return report;
}

}  // namespace casemate
