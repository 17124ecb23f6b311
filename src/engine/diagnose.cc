#include "engine/diagnose.h"

#include <utility>

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
