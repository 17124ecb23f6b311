#pragma once

#include <memory>
#include <vector>

#include "secrets/provider/provider.h"

namespace casemate::secrets {

// Every provider that is compiled in, in the order of the help.
std::vector<std::unique_ptr<Provider>> MakeProviders();

}  // namespace casemate::secrets
