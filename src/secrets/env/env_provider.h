#pragma once

#include <memory>

#include "secrets/provider/provider.h"

namespace casemate::secrets {

// env:NAME, a variable of this process. An empty one is an error, and not a missing one: it hides a mistake.
std::unique_ptr<Provider> MakeEnvProvider();

}  // namespace casemate::secrets
