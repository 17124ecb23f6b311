#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "isolation/docker/container.h"

namespace casemate::docker {

// Containers that are started before they are asked for, each for one run. Keeps those that the latest runs
// would have taken; none before the first, and none after ten idle minutes. Thread-safe.
class WarmContainers {
 public:
  ~WarmContainers();

  // One that was made from exactly `key`, if there is one; either way, more of them are made from now on, by
  // `order`.
  std::optional<Container> Take(const std::string& key, const std::shared_ptr<const Api>& api,
                                ContainerOrder order);

  // Removes it while nobody waits.
  void Discard(Container container);

  // Nothing before the first demand.
  std::vector<PoolStatus> status() const;

 private:
  static constexpr std::size_t kReadyMax = 4;

  void Run();
  static void Drop(std::deque<Container>& containers, std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string key_;
  std::shared_ptr<const Api> api_;
  ContainerOrder order_;
  std::deque<Container> ready_;
  std::deque<Container> discarded_;
  std::int64_t taken_ = 0;
  std::int64_t cold_ = 0;
  std::int64_t asked_at_us_ = 0;
  std::int64_t failed_at_us_ = 0;
  std::uint64_t made_ = 0;
  bool ends_ = false;
  std::thread thread_;  // with the first demand
};

}  // namespace casemate::docker
