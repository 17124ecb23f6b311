#pragma once

#include <string_view>

#include "casemate/error.h"
#include "casemate/secret_store.h"

namespace casemate {

// `wanted` with what the host's administrator says, who wins: `ttl` is CASEMATE_SECRETS_TTL, how long values
// of a provider may be used again ("vault=30s,aws=5m,cmd=0s"), `timeout` is CASEMATE_SECRETS_TIMEOUT, of one
// reference
// ("5s"); "" for nothing. kInvalidRequest for what is neither.
Expected<SecretOptions> ReadSecretOptions(SecretOptions wanted, std::string_view ttl,
                                          std::string_view timeout);

}  // namespace casemate
