#pragma once

namespace casemate::container {

// Whether less than a twentieth of the host's memory is available (proc_meminfo(5)).
bool HostMemoryIsShort();

}  // namespace casemate::container
