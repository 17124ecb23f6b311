#include "engine/environment_source.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/clock.h"
#include "environments/builder.h"
#include "environments/host_environment.h"
#include "environments/store.h"
#include "runtime/harness_bytecode.h"

namespace casemate {
namespace {

constexpr std::int64_t kLookAgainUs = 1'000'000;
// What nobody has asked for since is let go, so that it can be pruned.
constexpr std::int64_t kForgetUs = 60'000'000;

}  // namespace

Expected<std::shared_ptr<const EnvironmentSource::Found>> EnvironmentSource::Find(const std::string& name,
                                                                                  bool needs_python) {
  if (!parts_.resident) return Look(name, needs_python);
  if (auto recent = Recent(name)) return recent;
  // Without the lock: a build takes as long as it takes, and other runs go on.
  auto found = Look(name, needs_python);
  if (found && !(*found)->harness.empty()) Remember(name, *found);
  return found;
}

std::shared_ptr<const EnvironmentSource::Found> EnvironmentSource::Recent(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(name);
  if (known == known_.end() || MonotonicUs() - known->second.looked_at_us >= kLookAgainUs) return nullptr;
  return known->second.found;
}

void EnvironmentSource::Remember(const std::string& name, std::shared_ptr<const Found> found) {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = MonotonicUs();
  std::erase_if(known_, [now](const auto& one) { return now - one.second.looked_at_us > kForgetUs; });
  for (const auto& backend : parts_.backends) backend->KeepWarm(found->view, found->zygote);
  known_[name] = {std::move(found), now};
}

Expected<EnvironmentView> EnvironmentSource::LookAtHost(const EnvironmentReference& reference,
                                                        bool needs_python) const {
  HostEnvironmentOptions options = parts_.environment;
  if (!reference.python.empty()) options.python = reference.python;
  auto view = FindHostEnvironment(options);
  if (view || needs_python || !reference.python.empty()) return view;
  return BareHostEnvironment();
}

Expected<EnvironmentView> EnvironmentSource::LookAtBuilt(const EnvironmentReference& reference,
                                                         const std::string& name) const {
  const EnvironmentPaths paths(parts_.state_dir);
  std::string id = reference.value;
  if (reference.kind != EnvironmentReference::Kind::kBuilt) {
    auto inputs = ReadEnvironmentInputs(reference, parts_.environment);
    if (!inputs) return std::unexpected(inputs.error());
    id = FindBuiltId(paths, inputs->key);
  }
  if (!id.empty()) {
    auto built = OpenBuilt(paths, id, parts_.environment);
    if (built) return std::move(built->view);
    const bool gone = built.error().code == ErrorCode::kNotFound;
    if (!gone || reference.kind == EnvironmentReference::Kind::kBuilt) return std::unexpected(built.error());
  }
  auto made = AskForEnvironment(name, {parts_.state_dir, parts_.environment.python, !parts_.resident});
  if (!made) return std::unexpected(made.error());
  auto built = OpenBuilt(paths, *made, parts_.environment);
  if (!built) return std::unexpected(built.error());
  return std::move(built->view);
}

Expected<std::shared_ptr<const EnvironmentSource::Found>> EnvironmentSource::Look(const std::string& name,
                                                                                  bool needs_python) const {
  auto reference = ParseEnvironmentReference(name);
  if (!reference) return std::unexpected(reference.error());
  auto view = reference->kind == EnvironmentReference::Kind::kHost ? LookAtHost(*reference, needs_python)
                                                                   : LookAtBuilt(*reference, name);
  if (!view) return std::unexpected(view.error());
  auto found = std::make_shared<Found>();
  found->view = *std::move(view);
  found->name = found->view.id.empty() ? name
                : reference->kind == EnvironmentReference::Kind::kBuilt
                    ? "sha256:" + found->view.id
                    : fmt::format("{}@sha256:{}", name, found->view.id);
  if (found->view.python.empty() && !needs_python) return found;
  if (!needs_python && !parts_.resident) return found;
  auto files = HarnessFiles(found->view, parts_.state_dir);
  if (!files && needs_python) return std::unexpected(files.error());
  if (!files) return found;
  found->harness.assign(files->begin(), std::prev(files->end(), kZygoteFiles));
  if (!parts_.resident) return found;
  found->zygote = *std::move(files);
  // An interpreter that is too old for restricted programs keeps cells for the others.
  if (auto restricted = RestrictedFiles(found->view, parts_.state_dir)) {
    found->zygote.insert(found->zygote.end(), restricted->begin(), restricted->end());
  }
  return found;
}

}  // namespace casemate
