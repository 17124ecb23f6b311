#pragma once

#include <memory>

#include "secrets/provider/provider.h"

namespace casemate::secrets {

// file:PATH, the bytes of a file without one newline at their end. The file must belong to this user or root,
// be closed to all others, and be no symbolic link; "#any-mode" and "#follow" behind the path lift that.
std::unique_ptr<Provider> MakeFileProvider();

}  // namespace casemate::secrets
