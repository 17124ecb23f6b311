#include "isolation/container/cell_slot.h"

#include <algorithm>
#include <span>
#include <utility>

#include "confine/id_pool.h"

namespace casemate::container {
namespace {

// One fork makes the namespaces of so many: the fork costs more than they do.
constexpr uid_t kSpacesAtOnce = 8;
// Slots that nobody uses are kept up to as many as an engine has places to run at: more come from a crowd of
// sessions, and each holds namespaces, cgroups and some ten descriptors.
constexpr std::size_t kWholeMax = 256;

}  // namespace

Expected<std::shared_ptr<CellSlot>> SlotStock::Take() {
  if (whole_.empty()) {
    if (auto made = MakeSpaces(); !made) return std::unexpected(made.error());
  }
  std::shared_ptr<CellSlot> slot = whole_.front();
  if (!slot->cgroup) {
    if (auto made = MakeCgroup(*slot); !made) return std::unexpected(made.error());
  } else if (slot->entrances.empty()) {
    if (auto opened = OpenEntrances(*slot); !opened) return std::unexpected(opened.error());
  }
  whole_.pop_front();
  return slot;
}

Expected<void> SlotStock::MakeSpaces() {
  while (spaceless_.size() < kSpacesAtOnce && next_ < options_.slots_max) {
    spaceless_.push_back(std::make_shared<CellSlot>());
    spaceless_.back()->zygote = options_.zygote;
    spaceless_.back()->number = next_;
    spaceless_.back()->host_ids = options_.host_ids + kIdsPerSandbox * next_;
    ++next_;
  }
  if (spaceless_.empty()) {
    return Fail(ErrorCode::kUnavailable, "all ids for warm cells are in use; let some runs end first");
  }
  CellSpacesRequest request{options_.zygote_user_namespace, options_.single_id, {}};
  const std::size_t kept = spaceless_.size() - std::min<std::size_t>(spaceless_.size(), kSpacesAtOnce);
  const std::span making = std::span(spaceless_).subspan(kept);
  for (const auto& slot : making) request.cells.push_back(slot->number);
  auto made = MakeCellSpaces(request);
  if (!made) return std::unexpected(made.error());
  for (std::size_t i = 0; i < made->size(); ++i) {
    making[i]->spaces = std::move((*made)[i]);
    whole_.push_back(std::move(making[i]));
  }
  spaceless_.resize(kept);
  return {};
}

Expected<void> SlotStock::MakeCgroup(CellSlot& slot) const {
  auto cgroup = Cgroup::Create(options_.cgroups, Limits());
  if (!cgroup) return std::unexpected(cgroup.error());
  slot.cgroup = *std::move(cgroup);
  slot.limits = Limits();
  return OpenEntrances(slot);
}

Expected<void> SlotStock::OpenEntrances(CellSlot& slot) {
  auto entrances = slot.cgroup->OpenEntrances();
  if (!entrances) return std::unexpected(entrances.error());
  slot.cgroup->CloseEntrances();
  slot.entrances = *std::move(entrances);
  return {};
}

bool SlotStock::PutBack(const std::shared_ptr<CellSlot>& slot, bool network_touched, bool give_up) {
  const bool reusable = slot->cgroup && slot->cgroup->renewable() && slot->limits;
  if (slot->cgroup && !(reusable && slot->cgroup->Renew())) {
    const bool removed = !reusable && slot->cgroup->Remove(0);
    if (!removed && !give_up) return false;
    slot->entrances.clear();
    slot->cgroup.reset();
  }
  const bool surplus = whole_.size() >= kWholeMax;
  if (surplus) {
    slot->entrances.clear();
    slot->cgroup.reset();
  }
  if (network_touched || surplus) {
    slot->spaces = {};
    spaceless_.push_back(slot);
  } else {
    whole_.push_back(slot);
  }
  return true;
}

}  // namespace casemate::container
