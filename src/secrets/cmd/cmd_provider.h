#pragma once

#include <memory>

#include "secrets/provider/provider.h"

namespace casemate::secrets {

// cmd:COMMAND, what a command of /bin/sh prints, without one newline at its end: `cmd:pass show api/key`,
// `cmd:secret-tool lookup service api`. It runs with this process's environment and rights; what it says on
// stderr is dropped, since it may hold the secret. 127 and 126 are failures of the shell, any other code but
// 0 means that it has no such secret: the chain goes on.
std::unique_ptr<Provider> MakeCmdProvider();

}  // namespace casemate::secrets
