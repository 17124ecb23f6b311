#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "casemate/error.h"
#include "isolation/container/cell_slot.h"
#include "isolation/container/sandbox.h"

namespace casemate::container {

// What a zygote's keeper (zygote_host.cc) has in hand: a cell that is being born or waits,
struct Cell {
  ContainerSandbox::Parts parts;
  std::shared_ptr<CellSlot> slot;
  UniqueFd socket;  // while it is being born
  Deadline deadline = Deadline::After(0);
  std::int64_t step_us = 0;
};

// what is left of one that was used,
struct Grave {
  ContainerSandbox::Parts parts;
  std::shared_ptr<CellSlot> slot;
  bool gone = false;
  bool network_touched = false;
  std::int64_t since_us = 0;
};

// For memory that is still charged to a dead cell's cgroup: then that cgroup is not used again.
inline constexpr std::int64_t kBurialPatienceMs = 200;

// Whether so many cells are being taken apart that one waits for a slot of theirs: were a new one made each
// time, a busy host would have ever more.
inline bool SlotsComeBack(const std::vector<Grave>& graves) {
  constexpr std::int64_t kSlotsMax = 4;
  return std::ranges::count_if(graves, [](const Grave& grave) {
           return MonotonicUs() - grave.since_us < kBurialPatienceMs * 1000;
         }) >= kSlotsMax;
}

// and somebody who waits for one.
struct Taker {
  std::unique_ptr<Cell> cell;
  std::optional<Error> error;
  std::condition_variable served;
};

}  // namespace casemate::container
