#pragma once

#include <string>
#include <vector>

#include "surfaces/cli/cli.h"

namespace casemate {

// `casemate secrets WORDS...`: get, check and run. Values are masked; only `get --reveal`, and only on a
// terminal, writes one.
int SecretsCommandLine(const std::vector<std::string>& words, const CliServices& services,
                       const CliStreams& streams);

// Tells people what the owners of these secrets should change.
void WarnOfSecrets(const std::vector<std::string>& references, const SecretStore& store,
                   const CliStreams& streams);

}  // namespace casemate
