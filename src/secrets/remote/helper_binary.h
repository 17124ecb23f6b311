#pragma once

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate::secrets {

// The helper's program (src/secrets/helper/), which is linked into this one as bytes: a sealed memfd.
Expected<UniqueFd> OpenHelperBinary();

}  // namespace casemate::secrets
