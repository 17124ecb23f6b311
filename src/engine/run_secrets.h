#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/request.h"
#include "casemate/secret.h"
#include "casemate/secret_store.h"

namespace casemate {

// Whether the secrets of `request` can be given as they are asked for: their names, and that no variable has
// two values. kInvalidRequest, or kUnavailable for one that is to be brokered where there is no proxy.
Expected<void> CheckSecrets(const ExecutionRequest& request);

// Their values, from `store`; an error as that gives it, or kInvalidRequest for a value that no variable can
// hold.
Expected<std::vector<ResolvedSecret>> ResolveSecrets(const ExecutionRequest& request, SecretStore& store);

// The values themselves, to be searched for in all that the run gives; valid as long as `secrets`.
std::vector<std::string_view> SecretViews(std::span<const ResolvedSecret> secrets);

}  // namespace casemate
