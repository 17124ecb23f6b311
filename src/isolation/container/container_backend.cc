#include "isolation/container/container_backend.h"

#include <mutex>
#include <utility>

#include "base/file.h"
#include "confine/cgroup.h"
#include "confine/landlock.h"
#include "isolation/container/admission.h"
#include "isolation/container/launcher.h"

namespace casemate::container {
namespace {

// What a killed engine's sandbox may take to die.
constexpr std::int64_t kDyingMs = 2000;

class ContainerBackend : public Backend {
 public:
  explicit ContainerBackend(std::string lock_folder) { host_.lock_folder = std::move(lock_folder); }

  Tier tier() const override { return Tier::kContainer; }

  Expected<EnforcementReport> Admit(const Policy& policy) override { return AdmitOn(FindHost(), policy); }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    const Host& host = FindHost();
    if (host.ids.kind != IdSource::Kind::kSingle) {
      if (auto made = MakeFolders(host.lock_folder, 0700); !made) return std::unexpected(made.error());
    }
    auto sandbox = LaunchContainer(spec, host);
    if (!sandbox) return std::unexpected(sandbox.error());
    // While the program starts, and nobody waits for it.
    std::call_once(cleaned_, [&host] { (void)RemoveStaleCgroups(host.cgroups, 0); });
    return std::unique_ptr<Sandbox>(*std::move(sandbox));
  }

 private:
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
};

}  // namespace

std::unique_ptr<Backend> MakeContainerBackend(std::string lock_folder) {
  return std::make_unique<ContainerBackend>(std::move(lock_folder));
}

Garbage CollectContainerGarbage() {
  CgroupGarbage garbage = RemoveStaleCgroups(CgroupHost::Discover(false), kDyingMs);
  return {std::move(garbage.removed), std::move(garbage.kept)};
}

}  // namespace casemate::container
