#include "engine/environment_source.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/clock.h"
#include "environments/host_environment.h"
#include "runtime/harness_bytecode.h"

namespace casemate {
namespace {

constexpr std::int64_t kLookAgainUs = 1'000'000;

}  // namespace

Expected<std::shared_ptr<const EnvironmentSource::Found>> EnvironmentSource::Find(const std::string& name,
                                                                                  bool needs_python) {
  if (name != "host") {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("there is no environment {}; the only one is `host`", name));
  }
  if (!parts_.resident) return Look(needs_python);
  const std::lock_guard lock(mutex_);
  const std::int64_t now = MonotonicUs();
  if (last_ && now - looked_at_us_ < kLookAgainUs) return last_;
  auto found = Look(needs_python);
  if (!found || (*found)->harness.empty()) return found;
  last_ = *found;
  looked_at_us_ = now;
  for (const auto& backend : parts_.backends) backend->KeepWarm(last_->view, last_->zygote);
  return found;
}

Expected<std::shared_ptr<const EnvironmentSource::Found>> EnvironmentSource::Look(bool needs_python) const {
  auto found = std::make_shared<Found>();
  auto view = FindHostEnvironment(parts_.environment);
  if (!view && needs_python) return std::unexpected(view.error());
  if (!view) {
    found->view = BareHostEnvironment();
    return found;
  }
  found->view = *std::move(view);
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
