#pragma once

#include "isolation/wire/inside/channel.h"

namespace casemate::docker {

// Answers kList and kFetch for the regular files below /workspace, until the engine is gone. No symbolic
// link, pipe or device is opened. To be called when nothing of the program is left.
[[noreturn]] void ServeFiles(WireChannel& channel);

}  // namespace casemate::docker
