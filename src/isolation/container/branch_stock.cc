#include "isolation/container/branch_stock.h"

#include <utility>

#include "confine/cell_branch.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kRemovalMs = 1000;

// The agent first: a cgroup with a member cannot be removed.
void Discard(BranchKit kit) {
  { const BranchAgent ended = std::move(kit.agent); }
  kit.cgroup.Remove(kRemovalMs);
}

}  // namespace

Expected<BranchKit> BranchStock::Make(const Limits& limits) const {
  auto cgroup = Cgroup::Create(cgroups_, limits);
  if (!cgroup) return std::unexpected(cgroup.error());
  auto tasks = cgroup->OpenEntrances();
  if (!tasks) return std::unexpected(tasks.error());
  cgroup->CloseEntrances();
  if (tasks->size() > kBranchTasksMax)
    return Fail(ErrorCode::kInternal, "a branch has more cgroups than it can be given");
  auto agent = BranchAgent::Start(*tasks);
  if (!agent) return std::unexpected(agent.error());
  return BranchKit{*std::move(cgroup), limits, *std::move(tasks), *std::move(agent)};
}

Expected<BranchKit> BranchStock::Take(const Limits& limits) {
  for (;;) {
    std::unique_lock lock(mutex_);
    last_limits_ = limits;
    if (kits_.empty()) break;
    BranchKit kit = std::move(kits_.front());
    kits_.pop_front();
    lock.unlock();
    const bool same = kit.limits.memory_bytes == limits.memory_bytes && kit.limits.cpus == limits.cpus &&
                      kit.limits.processes_max == limits.processes_max;
    if (kit.agent.IsReady() && (same || kit.cgroup.ChangeLimits(cgroups_, limits))) {
      kit.limits = limits;
      return kit;
    }
    Discard(std::move(kit));
  }
  return Make(limits);
}

void BranchStock::Retire(BranchAgent agent) {
  const std::lock_guard lock(mutex_);
  retired_.push_back(std::move(agent));
}

void BranchStock::Fill(std::size_t wanted) {
  std::unique_lock lock(mutex_);
  std::vector<BranchAgent> retired = std::exchange(retired_, {});
  while (kits_.size() < wanted) {
    const Limits limits = last_limits_;
    lock.unlock();
    auto kit = Make(limits);
    lock.lock();
    if (!kit) break;
    kits_.push_back(*std::move(kit));
  }
  lock.unlock();
  retired.clear();  // waits for each
}

void BranchStock::Drop() {
  std::unique_lock lock(mutex_);
  std::deque<BranchKit> kits = std::exchange(kits_, {});
  lock.unlock();
  for (BranchKit& kit : kits) Discard(std::move(kit));
  Fill(0);
}

}  // namespace casemate::container
