#include "environments/build/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "environments/build/image.h"
#include "environments/build/packages.h"
#include "environments/build/staging.h"

namespace casemate {
namespace {

// Whether what is there is also what these options ask for. What they refuse is told where it is built.
bool Meets(const EnvironmentManifest& manifest, const BuildOptions& options) {
  if (!options.preload.empty() && manifest.preload != options.preload) return false;
  return std::ranges::all_of(manifest.wheels, [&options](const LockedWheel& wheel) {
    return options.rules.Check(wheel.name).has_value();
  });
}

}  // namespace

Expected<EnvironmentManifest> BuildEnvironment(const EnvironmentReference& reference, const std::string& name,
                                               const BuildOptions& options, BuildProgress& progress) {
  const EnvironmentPaths paths(options.state_dir);
  if (reference.kind == EnvironmentReference::Kind::kHost) {
    return Fail(ErrorCode::kInvalidRequest,
                "the host's environment is there already: nothing is to be built");
  }
  if (reference.kind == EnvironmentReference::Kind::kBuilt) return ReadManifest(paths, reference.value);
  auto inputs = ReadEnvironmentInputs(reference, options.host);
  if (!inputs) return std::unexpected(inputs.error());
  const auto tell = [](void* context) {
    static_cast<BuildProgress*>(context)->Step("waiting for another build of it", "", 0, 0);
  };
  auto lock = LockBuild(paths, inputs->key, tell, &progress);
  if (!lock) return std::unexpected(lock.error());
  if (const std::string id = options.again ? "" : FindBuiltId(paths, inputs->key); !id.empty()) {
    // Another one may have built it meanwhile.
    auto built = OpenBuilt(paths, id, options.host);
    if (built && Meets(built->manifest, options)) return std::move(built->manifest);
  }
  if (!HasPackages(reference.kind)) return BuildImage(reference, name, *inputs, options, progress);
  return BuildPackages(reference, name, *inputs, options, progress);
}

}  // namespace casemate
