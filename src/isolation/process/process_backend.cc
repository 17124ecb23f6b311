#include "isolation/process/process_backend.h"

#include <mutex>
#include <utility>

#include "base/file.h"
#include "confine/cgroup.h"
#include "isolation/process/admission.h"
#include "isolation/process/launcher.h"
#include "isolation/process/run_folder.h"

namespace casemate::process {
namespace {

class ProcessBackend : public Backend {
 public:
  ProcessBackend(std::string lock_folder, std::string temporary)
      : lock_folder_(std::move(lock_folder)), temporary_(std::move(temporary)) {}

  Tier tier() const override { return Tier::kProcess; }

  Expected<EnforcementReport> Admit(const Policy& policy) override { return AdmitOn(Found(), policy); }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    for (const ResolvedSecret& secret : spec.secrets) {
      if (secret.mode != SecretMode::kFile) continue;
      return Fail(ErrorCode::kUnavailable, "the process tier has no /run/secrets of its own for the secret " +
                                               secret.name +
                                               ": give it as a variable, or use the container tier");
    }
    const Host& host = Found();
    if (host.own_ids()) {
      if (auto made = MakeFolders(lock_folder_, 0700); !made) return std::unexpected(made.error());
    }
    auto sandbox = LaunchProcess(spec, host);
    if (!sandbox) return std::unexpected(sandbox.error());
    // While the program starts, and nobody waits for it.
    std::call_once(cleaned_, [&host] {
      (void)RemoveStaleFolders(host.temporary);
      (void)RemoveStaleCgroups(host.cgroups, 0);
    });
    return std::unique_ptr<Sandbox>(*std::move(sandbox));
  }

 private:
  // Once, and only when a run comes: it may enable cgroup controllers.
  const Host& Found() {
    std::call_once(found_, [this] { host_ = FindHost(lock_folder_, temporary_); });
    return host_;
  }

  std::string lock_folder_;
  std::string temporary_;
  std::once_flag found_;
  std::once_flag cleaned_;
  Host host_;
};

}  // namespace

std::unique_ptr<Backend> MakeProcessBackend(std::string lock_folder, std::string temporary) {
  return std::make_unique<ProcessBackend>(std::move(lock_folder), std::move(temporary));
}

Garbage CollectProcessGarbage() {
  FolderGarbage folders = RemoveStaleFolders(FindHost("", "").temporary);
  return {std::move(folders.removed), std::move(folders.kept)};
}

}  // namespace casemate::process
