#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "casemate/limits.h"
#include "confine/cgroup.h"
#include "zygote/cell_spaces.h"

namespace casemate::container {

// What one cell at a time uses of the kernel: namespaces, ids and cgroups.
struct CellSlot {
  std::int64_t zygote = 0;  // whose; another one's cells cannot use it
  uid_t number = 0;
  uid_t host_ids = 0;  // init's; the program's is the next one
  CellSpaces spaces;
  std::optional<Cgroup> cgroup;     // with the cell while there is one
  std::vector<UniqueFd> entrances;  // of the cgroup; a session closes them
  std::optional<Limits> limits;  // what the cgroup holds now; nothing when a change of them failed half-way
};

// The slots of one zygote. A slot is used again when its last cell has left it as it was found; what that
// cell has spoiled (a network namespace that knew a socket, a cgroup whose counters cannot be set back) is
// made anew under the same number, so that ids never run out. Not thread-safe.
class SlotStock {
 public:
  struct Options {
    CgroupHost cgroups;
    std::int64_t zygote = 0;         // a number that no other zygote of the pool has had
    int zygote_user_namespace = -1;  // borrowed
    bool single_id = false;          // all cells have the one id that there is
    uid_t host_ids = 0;              // of slot 0
    uid_t slots_max = 0;
  };
  explicit SlotStock(Options options) : options_(std::move(options)) {}

  // A whole slot. Blocks for some milliseconds when new namespaces have to be made, which is done for a few
  // slots at a time. kUnavailable when all slots are in use.
  Expected<std::shared_ptr<CellSlot>> Take();

  // Takes a slot back, with its cgroup in it, once the last process of its cell is gone. False while the
  // kernel still charges something to that cgroup: to be asked again after a while. With `give_up` the cgroup
  // is left to be removed later, and the answer is true.
  bool PutBack(const std::shared_ptr<CellSlot>& slot, bool network_touched, bool give_up);

  // Whether Take() needs no new namespaces.
  bool has_whole() const { return !whole_.empty(); }

  // How many slots there have ever been; they are numbered from 0.
  uid_t size() const { return next_; }

 private:
  Expected<void> MakeSpaces();
  Expected<void> MakeCgroup(CellSlot& slot) const;
  static Expected<void> OpenEntrances(CellSlot& slot);

  const Options options_;
  uid_t next_ = 0;
  std::deque<std::shared_ptr<CellSlot>> whole_;       // their cgroup may still be missing
  std::vector<std::shared_ptr<CellSlot>> spaceless_;  // without namespaces
};

}  // namespace casemate::container
