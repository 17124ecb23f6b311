#include "isolation/container/container_backend.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/file.h"
#include "confine/cgroup.h"
#include "confine/descriptor_limit.h"
#include "confine/landlock.h"
#include "isolation/container/admission.h"
#include "isolation/container/launcher.h"
#include "isolation/container/warm_cells.h"

namespace casemate::container {
namespace {

// What a killed engine's sandbox may take to die.
constexpr std::int64_t kDyingMs = 2000;

class ContainerBackend : public Backend {
 public:
  ContainerBackend(std::string lock_folder, const WarmOptions& warm) {
    host_.lock_folder = std::move(lock_folder);
    if (warm.enabled) warm_ = std::make_unique<WarmCells>(host_, warm);
  }

  Tier tier() const override { return Tier::kContainer; }

  bool PlacesRoots() const override { return true; }
  bool CarriesNetwork() const override { return true; }
  bool CarriesTerminal() const override { return true; }
  Expected<EnforcementReport> Admit(const Policy& policy) override { return AdmitOn(FindHost(), policy); }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    const Host& host = FindHost();
    if (warm_) {
      auto sandbox = warm_->Launch(spec);
      if (!sandbox || *sandbox) return sandbox;
    }
    if (!spec.session.empty()) {
      return Fail(ErrorCode::kUnavailable,
                  "a session needs a warm cell, and there is none yet: ask again in some seconds");
    }
    if (auto made = MakeLockFolder(); !made) return std::unexpected(made.error());
    auto sandbox = LaunchContainer(spec, host);
    if (!sandbox) return std::unexpected(sandbox.error());
    // While the program starts, and nobody waits for it.
    std::call_once(cleaned_, [&host] { (void)RemoveStaleCgroups(host.cgroups, 0); });
    return std::unique_ptr<Sandbox>(*std::move(sandbox));
  }

  void KeepWarm(const EnvironmentView& environment, const std::vector<RootFile>& root_files) override {
    if (!warm_) return;
    FindHost();
    std::call_once(cleaned_, [this] { (void)RemoveStaleCgroups(host_.cgroups, kDyingMs); });
    if (MakeLockFolder()) warm_->Prepare(environment, root_files);
  }

  std::vector<PoolStatus> Pools() const override {
    return warm_ ? warm_->status() : std::vector<PoolStatus>();
  }

 private:
  Expected<void> MakeLockFolder() const {
    if (host_.ids.kind == IdSource::Kind::kSingle) return {};
    return MakeFolders(host_.lock_folder, 0700);
  }

  // Once, and only when a run comes: it may enable cgroup controllers.
  const Host& FindHost() {
    std::call_once(found_, [this] {
      host_.cgroups = CgroupHost::Discover(true);
      host_.ids = FindIdSource();
      host_.landlock_abi = LandlockAbi();
    });
    return host_;
  }

  std::once_flag found_;
  std::once_flag cleaned_;
  Host host_;
  std::unique_ptr<WarmCells> warm_;
};

}  // namespace

std::unique_ptr<Backend> MakeContainerBackend(std::string lock_folder, const WarmOptions& warm) {
  return std::make_unique<ContainerBackend>(std::move(lock_folder), warm);
}

Expected<int> MakeRoomForWarmCells(int cells_max, int sessions_max) {
  constexpr rlim_t kPerCell = 20;     // in stock
  constexpr rlim_t kPerSession = 15;  // at rest: five more in a step, for its counters
  constexpr rlim_t kForTheRest = 4000;
  const rlim_t least = kForTheRest + static_cast<rlim_t>(cells_max) * kPerCell;
  const rlim_t wanted = least + static_cast<rlim_t>(sessions_max) * kPerSession;
  if (RaiseDescriptorLimit(wanted)) return sessions_max;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (auto raised = RaiseDescriptorLimit(std::max(least, limit.rlim_max)); !raised) {
    return Fail(raised.error().code, fmt::format("{} waiting cells are too many here", cells_max),
                raised.error().ToString());
  }
  return static_cast<int>((limit.rlim_max - least) / kPerSession);
}

Garbage CollectContainerGarbage() {
  CgroupGarbage garbage = RemoveStaleCgroups(CgroupHost::Discover(false), kDyingMs);
  return {std::move(garbage.removed), std::move(garbage.kept)};
}

}  // namespace casemate::container
