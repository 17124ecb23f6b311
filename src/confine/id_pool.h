#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// The host ids of one sandbox: two, that no other process of the host has. Held by a lock on one byte of a
// file (fcntl(2), open file description locks): free again the moment its owner dies, with nothing to clean.
class IdLease {
 public:
  IdLease() = default;
  IdLease(UniqueFd lock, uid_t base) : lock_(std::move(lock)), base_(base) {}
  // The host id of the sandbox's init; the program's is the next one.
  uid_t base() const { return base_; }

 private:
  UniqueFd lock_;
  uid_t base_ = 0;
};

// A range of host ids that this process may map.
struct IdRange {
  uid_t first = 0;
  uid_t count = 0;
};

// How this process may map ids into a new user namespace (user_namespaces(7)).
struct IdSource {
  enum class Kind {
    kDirect,     // it has CAP_SETUID and CAP_SETGID here: writes the map itself
    kNewuidmap,  // an ordinary user with a range in /etc/subuid and /etc/subgid
    kSingle,     // its own id alone
  };
  Kind kind = Kind::kSingle;
  IdRange range;        // empty for kSingle
  std::string why_not;  // for kSingle: why no better one
  std::string remedy;
};
IdSource FindIdSource();

// The parts of FindIdSource that read texts, for tests. The best range of at least two ids: of /etc/subuid
// for `name` or `uid` that /etc/subgid has too; of /proc/self/uid_map for root in a user namespace.
IdRange FindSubordinateRange(std::string_view subuid, std::string_view subgid, std::string_view name,
                             uid_t uid);
IdRange FindMappedRange(std::string_view uid_map);

// Takes `pairs` neighbouring free pairs of ids out of `source`: one for a sandbox, more for a zygote, whose
// cells get those after the first. kUnavailable when all are taken. `lock_folder` must exist.
Expected<IdLease> LeaseIds(const IdSource& source, const std::string& lock_folder, uid_t pairs = 1);

// The program's user and group id inside.
inline constexpr uid_t kProgramId = 1000;

// Writes the id maps of the process `pid`, which waits in a new user namespace. Inside: 0 is the lease's
// first id and 1000 its second; with kSingle `single` is the caller's own. The rest of `pairs` starts at
// kCellIds.
Expected<void> WriteIdMaps(pid_t pid, const IdSource& source, const IdLease& lease, uid_t pairs = 1,
                           uid_t single = kProgramId);

// Inside a zygote: the first id of its first cell. Each has two.
inline constexpr uid_t kCellIds = 100'000;
inline constexpr uid_t kIdsPerSandbox = 2;

}  // namespace casemate
