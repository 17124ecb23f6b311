// The only place that names concrete classes.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "audit/writer.h"
#include "base/state_dir.h"
#include "casemate/doctor.h"
#include "engine/diagnose.h"
#include "engine/explain.h"
#include "engine/flow.h"
#include "engine/secret_options.h"
#include "isolation/container/container_backend.h"
#include "isolation/docker/docker_backend.h"
#include "isolation/microvm/microvm_backend.h"
#include "isolation/oci/oci_backend.h"
#include "isolation/process/process_backend.h"
#include "policy/age.h"
#include "policy/units.h"

namespace casemate {
namespace {

// One place for all engines of one user, whatever their state folders: two must never lease the same ids.
std::string FindLockFolder() {
  if (geteuid() == 0) return "/run/casemate";
  return HomeFolder() + "/.local/state/casemate";
}

const char* Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets variables
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// What the host's administrator says wins.
Expected<SyncPolicy> FindSyncPolicy(SyncPolicy wanted) {
  const char* name = Variable("CASEMATE_AUDIT_SYNC");
  if (name == nullptr) return wanted;
  const auto policy = ParseSyncPolicy(name);
  if (policy) return *policy;
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("CASEMATE_AUDIT_SYNC is \"{}\": it must be written or disk", name));
}

// How long a part of the audit log gets before the next one is begun.
Expected<std::int64_t> FindSegmentBytes() {
  constexpr std::int64_t kMost = std::int64_t{512} << 20U;
  const char* const text = Variable("CASEMATE_AUDIT_SEGMENT_BYTES");
  if (text == nullptr) return audit::WriterOptions().segment_bytes_max;
  const auto bytes = ParseBytes(text);
  if (bytes && *bytes >= kKiB && *bytes <= kMost) return *bytes;
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("CASEMATE_AUDIT_SEGMENT_BYTES is \"{}\": it must be a size from 1k to 512m", text));
}

// How much of it is kept.
Expected<audit::KeepOptions> FindKeep() {
  const auto read = [](const char* name, Expected<std::int64_t> (*parse)(std::string_view),
                       std::optional<std::int64_t>& field) -> Expected<void> {
    const char* const text = Variable(name);
    if (text == nullptr) return {};
    const auto value = parse(text);
    if (!value) return Fail(ErrorCode::kInvalidRequest, fmt::format("{}: {}", name, value.error().message));
    field = *value;
    return {};
  };
  audit::KeepOptions keep;
  if (auto age = read("CASEMATE_AUDIT_KEEP", ParseAgeUs, keep.age_us); !age)
    return std::unexpected(age.error());
  if (auto bytes = read("CASEMATE_AUDIT_KEEP_BYTES", ParseBytes, keep.bytes_max); !bytes)
    return std::unexpected(bytes.error());
  return keep;
}

Expected<SecretOptions> FindSecretOptions(const SecretOptions& wanted) {
  const char* const ttl = Variable("CASEMATE_SECRETS_TTL");
  const char* const timeout = Variable("CASEMATE_SECRETS_TIMEOUT");
  return ReadSecretOptions(wanted, ttl != nullptr ? ttl : "", timeout != nullptr ? timeout : "");
}

EngineParts ComposeParts(const EngineOptions& options) {
  EngineParts parts;
  parts.state_dir = FindStateDir(options.state_dir);
  parts.secrets = MakeSecretStore(options.secrets);
  parts.environment.python = options.python;
  parts.environment.state_dir = parts.state_dir;
  parts.backends.push_back(microvm::MakeMicrovmBackend(container::MakeContainerBackend(FindLockFolder(), {}),
                                                       microvm::ImageFolder(parts.state_dir)));
  for (const auto kind : {oci::RuntimeKind::kKata, oci::RuntimeKind::kRunsc}) {
    parts.backends.push_back(oci::MakeOciBackend(kind, FindLockFolder(), options.warm.enabled));
  }
  parts.backends.push_back(container::MakeContainerBackend(FindLockFolder(), options.warm));
  for (const auto kind : {oci::RuntimeKind::kCrun, oci::RuntimeKind::kRunc}) {
    parts.backends.push_back(oci::MakeOciBackend(kind, FindLockFolder(), options.warm.enabled));
  }
  // As strong, and a hundred times slower to start: taken where the container tier cannot be, or by name.
  parts.backends.push_back(docker::MakeDockerBackend(options.warm.enabled));
  parts.backends.push_back(process::MakeProcessBackend(FindLockFolder()));
  return parts;
}

// Of open files. A host that has no room for so many sessions tells the one that does not fit.
Expected<void> MakeRoom(const EngineOptions& options, EngineParts& parts) {
  const auto room =
      container::MakeRoomForWarmCells(options.warm.cells_max, static_cast<int>(parts.sessions_max));
  if (!room) return std::unexpected(room.error());
  const auto fit = static_cast<std::size_t>(*room);
  if (fit >= parts.sessions_max) return {};
  parts.sessions_max = fit;
  parts.why_no_more_sessions =
      "the limit of open files has room for no more: close some, or raise it with ulimit -Hn, or "
      "LimitNOFILE= of the service";
  return {};
}

}  // namespace

Expected<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options) {
  const auto secrets = FindSecretOptions(options.secrets);
  if (!secrets) return std::unexpected(secrets.error());
  EngineParts parts = ComposeParts(options);
  parts.secrets = MakeSecretStore(*secrets);
  parts.resident = options.warm.enabled;
  if (options.warm.enabled) {
    if (auto made = MakeRoom(options, parts); !made) return std::unexpected(made.error());
  }
  const auto sync = FindSyncPolicy(options.audit_sync);
  if (!sync) return std::unexpected(sync.error());
  const auto keep = FindKeep();
  if (!keep) return std::unexpected(keep.error());
  const auto segment_bytes = FindSegmentBytes();
  if (!segment_bytes) return std::unexpected(segment_bytes.error());
  parts.audit = std::make_shared<audit::Writer>(audit::WriterOptions{.state_dir = parts.state_dir,
                                                                     .sync = *sync,
                                                                     .segment_bytes_max = *segment_bytes,
                                                                     .keep = *keep,
                                                                     .resident = parts.resident,
                                                                     .tell = options.tell});
  return MakeEngineOf(std::move(parts));
}

DoctorReport Diagnose(const EngineOptions& options) { return DiagnoseParts(ComposeParts(options)); }

Expected<Explanation> Explain(const EngineOptions& options, const ExecutionRequest& request) {
  return ExplainParts(ComposeParts(options), request);
}

GarbageReport CollectGarbage(const EngineOptions& options) {
  container::Garbage garbage = container::CollectContainerGarbage();
  process::Garbage folders = process::CollectProcessGarbage();
  GarbageReport report{std::move(garbage.removed), std::move(garbage.kept)};
  report.removed.insert(report.removed.end(), folders.removed.begin(), folders.removed.end());
  report.kept.insert(report.kept.end(), folders.kept.begin(), folders.kept.end());
  docker::Garbage containers = docker::CollectDockerGarbage();
  report.removed.insert(report.removed.end(), containers.removed.begin(), containers.removed.end());
  report.kept.insert(report.kept.end(), containers.kept.begin(), containers.kept.end());
  microvm::Garbage images =
      microvm::CollectMicrovmGarbage(microvm::ImageFolder(FindStateDir(options.state_dir)));
  report.removed.insert(report.removed.end(), images.removed.begin(), images.removed.end());
  report.kept.insert(report.kept.end(), images.kept.begin(), images.kept.end());
  return report;
}

}  // namespace casemate
