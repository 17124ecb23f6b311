// The only place that names concrete classes.
#include <unistd.h>

#include <cstdlib>

#include "base/user.h"
#include "casemate/doctor.h"
#include "engine/diagnose.h"
#include "engine/flow.h"
#include "isolation/container/container_backend.h"

namespace casemate {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  return value != nullptr ? value : "";
}

std::string HomeFolder() {
  const auto user = FindUser(getuid());
  return user && !user->home.empty() ? user->home : "/";
}

// XDG Base Directory Specification, "state"; systemd sets STATE_DIRECTORY for a service (systemd.exec(5)).
std::string FindStateDir(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (const std::string own = Variable("CASEMATE_STATE_DIR"); !own.empty()) return own;
  if (const std::string service = Variable("STATE_DIRECTORY"); !service.empty()) return service;
  if (const std::string xdg = Variable("XDG_STATE_HOME"); xdg.starts_with('/')) return xdg + "/casemate";
  const std::string home = Variable("HOME");
  return (home.empty() ? HomeFolder() : home) + "/.local/state/casemate";
}

// One place for all engines of one user, whatever their state folders: two must never lease the same ids.
std::string FindLockFolder() {
  if (geteuid() == 0) return "/run/casemate";
  return HomeFolder() + "/.local/state/casemate";
}

EngineParts ComposeParts(const EngineOptions& options) {
  EngineParts parts;
  parts.state_dir = FindStateDir(options.state_dir);
  parts.environment.python = options.python;
  parts.environment.state_dir = parts.state_dir;
  parts.backends.push_back(container::MakeContainerBackend(FindLockFolder(), options.warm));
  return parts;
}

}  // namespace

Expected<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options) {
  if (options.warm.enabled) {
    if (auto room = container::MakeRoomForWarmCells(options.warm.cells_max); !room) {
      return std::unexpected(room.error());
    }
  }
  EngineParts parts = ComposeParts(options);
  parts.resident = options.warm.enabled;
  return MakeEngineOf(std::move(parts));
}

DoctorReport Diagnose(const EngineOptions& options) { return DiagnoseParts(ComposeParts(options)); }

GarbageReport CollectGarbage(const EngineOptions& /*options*/) {
  container::Garbage garbage = container::CollectContainerGarbage();
  return {std::move(garbage.removed), std::move(garbage.kept)};
}

}  // namespace casemate
