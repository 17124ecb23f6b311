#pragma once

#include <memory>

#include "secrets/provider/provider.h"
#include "secrets/vault/vault_server.h"

namespace casemate::secrets {

// vault:MOUNT/PATH#FIELD (vault_place.h): the key-value engine in both versions, and every engine whose
// reading gives a secret, such as database/creds/ROLE. What comes with a lease is renewed while this lives,
// and revoked when it ends, as is a login of our own. `client` outlives it.
std::unique_ptr<Provider> MakeVaultProvider(HttpClient& client, Variable variable);

}  // namespace casemate::secrets
