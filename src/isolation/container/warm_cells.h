#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "isolation/container/zygote_host.h"

namespace casemate::container {

// The pools of warm cells, one for each environment. Thread-safe.
class WarmCells {
 public:
  WarmCells(const Host& host, WarmOptions options) : host_(host), options_(std::move(options)) {}

  // Starts the pool of an environment, or leaves the one that it has.
  void Prepare(const EnvironmentView& environment, const std::vector<RootFile>& root_files);

  // A warm sandbox for `spec` with its own limits, files and variables; nullptr when this program cannot run
  // warm, which is counted by its reason, and then a cold start is the way. An error is one of the request's,
  // or that a session cannot be.
  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec);

  std::vector<PoolStatus> status() const;

 private:
  std::shared_ptr<ZygoteHost> PoolOf(const LaunchSpec& spec);
  Expected<ZygoteHost::Taken> TakeForSession(const LaunchSpec& spec);
  void CountCold(const LaunchSpec& spec, const std::string& why);

  const Host& host_;
  const WarmOptions options_;
  mutable std::mutex mutex_;
  struct Pool {
    std::shared_ptr<ZygoteHost> host;
    std::string stamp;
    std::map<std::string, std::int64_t> cold;  // by reason; of the environment, not of one host
  };
  std::map<std::string, Pool> pools_;  // by environment
  std::vector<std::shared_ptr<ZygoteHost>> retired_;
};

}  // namespace casemate::container
