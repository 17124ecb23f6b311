#pragma once

#include <memory>
#include <vector>

#include "casemate/secret_store.h"
#include "secrets/provider/provider.h"

namespace casemate::secrets {

// A store over these providers.
std::unique_ptr<SecretStore> MakeStoreOf(std::vector<std::unique_ptr<Provider>> providers,
                                         const SecretOptions& options);

}  // namespace casemate::secrets
