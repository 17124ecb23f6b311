#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/loaded_files.h"
#include "casemate/backend.h"
#include "isolation/oci/sandbox.h"

namespace casemate::oci {

// Sandboxes that an engine which stays starts before they are asked for: each has an interpreter of its own
// that waits for its one program. Keeps those that the latest run would have taken; none before the first
// such run, none of an environment that is another by now, and none after ten idle minutes, since one of
// gVisor's holds 30 MiB (PSS). Thread-safe.
class WarmSandboxes {
 public:
  using Launcher = std::function<Expected<std::unique_ptr<OciSandbox>>(const LaunchSpec& spec)>;

  // `name` is what the pool is called, behind its environment. `launch` must outlive the destructor.
  WarmSandboxes(std::string name, Launcher launch);
  ~WarmSandboxes();
  WarmSandboxes(const WarmSandboxes&) = delete;
  WarmSandboxes& operator=(const WarmSandboxes&) = delete;

  // One that is all that `spec` asks for, with the program's text in its place; null when none is ready or
  // none can be, and then the caller starts one.
  std::unique_ptr<OciSandbox> Take(const LaunchSpec& spec);

  // Nothing before the first demand.
  std::vector<PoolStatus> status() const;

 private:
  static constexpr std::size_t kReadyMax = 2;

  void Run();

  const std::string name_;
  const Launcher launch_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // What waits, and what will be made: a run's specification without its program.
  std::optional<LaunchSpec> pattern_;
  std::uint64_t pattern_number_ = 0;
  LoadedFiles files_;  // of the environment, when the pattern was taken
  std::deque<std::unique_ptr<OciSandbox>> ready_;
  std::deque<std::unique_ptr<OciSandbox>> dropped_;
  std::int64_t taken_ = 0;
  std::map<std::string, std::int64_t> cold_;
  std::int64_t asked_at_us_ = 0;
  std::int64_t failed_at_us_ = 0;
  bool ends_ = false;
  std::thread thread_;  // with the first demand
};

}  // namespace casemate::oci
