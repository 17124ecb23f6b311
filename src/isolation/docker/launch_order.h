#pragma once

#include <string>
#include <string_view>

#include "casemate/backend.h"
#include "isolation/docker/carrier.h"

namespace casemate::docker {

// Whether the sandbox has the host's folder of a workspace itself (`ro`, `rw`), or gets a copy in any mode.
enum class HostFolder { kSeen, kCopied };

// All that the attendant is told before the program starts, as bytes of the wire: files, secrets, words,
// limits.
Expected<std::string> LaunchOrder(const LaunchSpec& spec, HostFolder folder = HostFolder::kSeen);

// What the attendant's "not started" means for the caller, when it has said why (`trouble.err` is not 0).
// `place` is where the program would have run: "container", "guest".
std::unexpected<Error> OrderFailed(const Carrier::NotStarted& trouble, const std::string& command,
                                   std::string_view place);

}  // namespace casemate::docker
