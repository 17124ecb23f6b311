#include "engine/armed_secrets.h"

#include <algorithm>

#include "model/kept_secret.h"

namespace casemate {
namespace {

// Some hundred kilobytes each.
constexpr std::size_t kKeptMax = 16;

}  // namespace

std::shared_ptr<const KnownValues> ArmedSecrets::Make(std::span<const ResolvedSecret> secrets) {
  std::vector<KnownSecret> known;
  known.reserve(secrets.size());
  for (const ResolvedSecret& secret : secrets) known.push_back({secret.name, secret.value->Reveal()});
  return MakeKnownValues(known);
}

bool ArmedSecrets::IsOf(const Kept& kept, std::span<const ResolvedSecret> secrets) {
  return std::ranges::equal(kept.parts, secrets, [](const Part& part, const ResolvedSecret& secret) {
    // The same object, not one in its place: a weak pointer holds on to where it was.
    return part.name == secret.name && !part.value.owner_before(secret.value) &&
           !secret.value.owner_before(part.value);
  });
}

std::shared_ptr<const KnownValues> ArmedSecrets::For(std::span<const ResolvedSecret> secrets) {
  if (secrets.empty() || !std::ranges::all_of(secrets, KeptSecret::Is, &ResolvedSecret::value))
    return Make(secrets);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(kept_, [](const Kept& kept) { return kept.known.expired(); });
    const auto found = std::ranges::find_if(kept_, [&](const Kept& kept) { return IsOf(kept, secrets); });
    if (found != kept_.end()) {
      if (auto known = found->known.lock()) return known;
    }
  }
  auto known = Make(secrets);
  Kept made{{}, known};
  for (const ResolvedSecret& secret : secrets) made.parts.push_back({secret.name, secret.value});
  const std::lock_guard lock(mutex_);
  if (kept_.size() == kKeptMax) kept_.erase(kept_.begin());
  kept_.push_back(std::move(made));
  KeptSecret::Hang(secrets.front().value, known);
  return known;
}

}  // namespace casemate
