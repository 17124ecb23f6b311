#include "isolation/docker/warm_containers.h"

#include <chrono>
#include <utility>

#include "base/clock.h"

namespace casemate::docker {
namespace {

constexpr std::int64_t kIdleUs = 600'000'000;
constexpr std::int64_t kAfterFailureUs = 10'000'000;
constexpr std::chrono::seconds kLook(1);

}  // namespace

WarmContainers::~WarmContainers() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Container> WarmContainers::Take(const std::string& key, const std::shared_ptr<const Api>& api,
                                              ContainerOrder order) {
  std::deque<Container> dead;  // removed without the lock
  const std::lock_guard lock(mutex_);
  asked_at_us_ = MonotonicUs();
  if (key != key_ || api != api_) {
    dead.swap(ready_);
    key_ = key;
    api_ = api;
    order_ = std::move(order);
  }
  std::optional<Container> taken;
  while (!ready_.empty() && !taken) {
    if (ready_.front().Alive()) {
      taken = std::move(ready_.front());
    } else {
      dead.push_back(std::move(ready_.front()));
    }
    ready_.pop_front();
  }
  ++(taken ? taken_ : cold_);
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  changed_.notify_all();
  return taken;
}

std::vector<PoolStatus> WarmContainers::status() const {
  const std::lock_guard lock(mutex_);
  if (key_.empty()) return {};
  PoolStatus status;
  status.environment = order_.environment.name + " (docker)";
  status.cells_ready = static_cast<int>(ready_.size());
  status.cells_max = static_cast<int>(kReadyMax);
  status.taken = taken_;
  if (cold_ > 0) status.cold["no container was ready for such a run"] = cold_;
  return {status};
}

void WarmContainers::Discard(Container container) {
  {
    const std::lock_guard lock(mutex_);
    discarded_.push_back(std::move(container));
  }
  changed_.notify_all();
}

void WarmContainers::Drop(std::deque<Container>& containers, std::unique_lock<std::mutex>& lock) {
  std::deque<Container> dropped;
  dropped.swap(containers);
  lock.unlock();
  dropped.clear();
  lock.lock();
}

void WarmContainers::Run() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    const std::int64_t now = MonotonicUs();
    if (now - asked_at_us_ > kIdleUs && !ready_.empty()) Drop(ready_, lock);
    if (!discarded_.empty()) Drop(discarded_, lock);
    const bool wanted = now - asked_at_us_ <= kIdleUs && ready_.size() < kReadyMax &&
                        (failed_at_us_ == 0 || now - failed_at_us_ > kAfterFailureUs);
    if (!wanted) {
      changed_.wait_for(lock, kLook);
      continue;
    }
    const std::string key = key_;
    const std::shared_ptr<const Api> api = api_;
    ContainerOrder order = order_;
    order.name += "-" + std::to_string(made_++);
    lock.unlock();
    std::vector<Timing> timings;
    auto made = MakeContainer(api, order, timings);
    lock.lock();
    // An error is the next run's own to tell.
    failed_at_us_ = made ? 0 : MonotonicUs();
    if (made && key == key_ && api == api_) ready_.push_back(*std::move(made));
  }
  Drop(ready_, lock);
  Drop(discarded_, lock);
}

}  // namespace casemate::docker
