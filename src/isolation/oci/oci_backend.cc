#include "isolation/oci/oci_backend.h"

#include <mutex>
#include <optional>
#include <utility>

#include "base/file.h"
#include "confine/cgroup.h"
#include "confine/namespace_error.h"
#include "isolation/oci/admission.h"
#include "isolation/oci/bundle.h"
#include "isolation/oci/launcher.h"
#include "isolation/oci/warm_sandboxes.h"

namespace casemate::oci {
namespace {

// A /dev/kvm of a nested machine may take for ever.
constexpr std::int64_t kKvmPatienceMs = 3000;

class OciBackend : public Backend {
 public:
  OciBackend(RuntimeKind kind, std::string lock_folder, bool warm) : kind_(kind) {
    host_.lock_folder = std::move(lock_folder);
    if (warm) {
      warm_.emplace(std::string(RuntimeName(kind)),
                    [this](const LaunchSpec& spec) { return LaunchOci(spec, host_, **runtime_); });
    }
  }

  Tier tier() const override { return TierOf(kind_); }
  std::string_view runtime() const override { return RuntimeName(kind_); }
  bool only_by_name() const override { return true; }
  bool CarriesNetwork() const override { return true; }
  bool PlacesRoots() const override { return true; }

  Expected<EnforcementReport> Admit(const Policy& policy) override {
    FindHost();
    if (!*runtime_) return std::unexpected(runtime_->error());
    return AdmitOn(host_, **runtime_, policy);
  }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    FindHost();
    if (!*runtime_) return std::unexpected(runtime_->error());
    if (auto made = MakeLockFolder(); !made) return std::unexpected(made.error());
    if (warm_) {
      if (auto ready = warm_->Take(spec)) return std::unique_ptr<Sandbox>(std::move(ready));
    }
    auto sandbox = LaunchOci(spec, host_, **runtime_);
    if (!sandbox) return std::unexpected(sandbox.error());
    // While the program runs, and nobody waits for it.
    std::call_once(cleaned_, [this] { (void)RemoveStaleCgroups(host_.cgroups, 0); });
    return std::unique_ptr<Sandbox>(*std::move(sandbox));
  }

  std::vector<PoolStatus> Pools() const override {
    return warm_ ? warm_->status() : std::vector<PoolStatus>();
  }

 private:
  // Who has one id leases none, and the bundle of his runs is elsewhere.
  Expected<void> MakeLockFolder() const {
    if (host_.ids.kind == IdSource::Kind::kSingle) return {};
    return MakeFolders(host_.lock_folder, 0700);
  }

  // In its own walls like any run, so that a runtime that hangs leaves nothing. What root may do every crun
  // and runc can.
  Expected<void> Try(const Runtime& runtime) const {
    if (host_.ids.kind == IdSource::Kind::kDirect && !runtime.own_kernel()) return {};
    LaunchSpec spec;
    spec.environment.read_only_paths = {"/usr"};
    for (const char* folder : {"bin", "lib", "lib64"})
      spec.environment.symlinks.emplace_back(std::string("/") + folder, std::string("usr/") + folder);
    spec.argv = {"/usr/bin/true"};
    if (auto made = MakeLockFolder(); !made) return made;
    const bool kvm = runtime.platform == "kvm";
    auto started = LaunchOci(spec, host_, runtime, kvm ? kKvmPatienceMs : kLaunchTimeoutMs);
    if (!started) return std::unexpected(started.error());
    return {};
  }

  // Once, and only when a run comes: it may enable cgroup controllers, and asks the runtime.
  void FindHost() {
    std::call_once(found_, [this] {
      host_.cgroups = CgroupHost::Discover(true);
      host_.ids = FindIdSource();
      if (host_.ids.kind != IdSource::Kind::kDirect) {
        if (auto may = CheckNamespaces(); !may) {
          runtime_ = std::unexpected(may.error());
          return;
        }
      }
      runtime_ =
          FindRuntime(kind_, host_.lock_folder, [this](const Runtime& runtime) { return Try(runtime); });
    });
  }

  RuntimeKind kind_;
  std::once_flag found_;
  std::once_flag cleaned_;
  Host host_;
  std::optional<Expected<Runtime>> runtime_;
  std::optional<WarmSandboxes> warm_;  // last: what it launches needs the rest
};

}  // namespace

std::unique_ptr<Backend> MakeOciBackend(RuntimeKind kind, std::string lock_folder, bool warm) {
  return std::make_unique<OciBackend>(kind, std::move(lock_folder), warm);
}

Expected<std::string> ExplainOci(RuntimeKind kind, const LaunchSpec& spec) {
  Host host;
  host.lock_folder = "/run/casemate";
  Runtime runtime;
  runtime.kind = kind;
  host.ids.kind = IdSource::Kind::kDirect;
  auto bundle = MakeBundle(spec, host, runtime, host.ids, IdLease(), true);
  if (!bundle) return std::unexpected(bundle.error());
  return WriteConfig((*bundle)->config);
}

}  // namespace casemate::oci
