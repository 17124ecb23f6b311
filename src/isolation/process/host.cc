#include "isolation/process/host.h"

#include <linux/capability.h>

#include <cstdlib>
#include <utility>

#include "confine/landlock.h"
#include "confine/privileges.h"

namespace casemate::process {
namespace {

IdSource FindOwnIds() {
  IdSource ids = FindIdSource();
  // To give files to another id, and to remove what it leaves.
  const bool hands_over = HasCapability(CAP_CHOWN) && HasCapability(CAP_DAC_OVERRIDE);
  if (ids.kind == IdSource::Kind::kDirect && hands_over) return ids;
  IdSource shared;
  shared.why_not = "without root's capabilities the program has the caller's own user id";
  shared.remedy = "use --isolation container, or run as root";
  return shared;
}

}  // namespace

Host FindHost(std::string lock_folder, std::string temporary) {
  Host host;
  host.cgroups = CgroupHost::Discover(true);
  host.ids = FindOwnIds();
  host.landlock_abi = LandlockAbi();
  host.may_empty_bounding_set = HasCapability(CAP_SETPCAP);
  host.lock_folder = std::move(lock_folder);
  host.temporary = std::move(temporary);
  if (host.temporary.empty()) {
    const char* wanted = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    host.temporary = wanted != nullptr && wanted[0] == '/' ? wanted : "/tmp";
  }
  return host;
}

}  // namespace casemate::process
