// Theory of operation: a launch.
//
// In an engine that stays the first three steps are done beforehand (warm_containers.h).
//
//   engine                                        Docker Engine
//   POST /containers/create --------------------> 404: build our image from the host's files, and again
//   POST /containers/ID/attach -----------------> the stream, before there is anything to lose
//   POST /containers/ID/start ------------------> the attendant (inside/main.cc) runs
//   the carrier sends the order on the stream
//   GET /containers/ID/json --------------------> its process id: where that is one of this host's, a pidfd
//   and
//                                                 the cgroup's counters, so that a hung engine is no obstacle
//   <-- on the stream: the program is executed
//
// The stream is the container's life: when it ends, the attendant does, and the engine removes the container.
#include "isolation/docker/docker_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "isolation/docker/admission.h"
#include "isolation/docker/container_config.h"
#include "isolation/docker/image.h"
#include "isolation/docker/launch_order.h"
#include "isolation/docker/owner.h"
#include "isolation/docker/sandbox.h"
#include "isolation/docker/warm_containers.h"

namespace casemate::docker {
namespace {

constexpr std::int64_t kStartTimeoutMs = 60'000;

std::unexpected<Error> NotStarted(const Carrier::NotStarted& trouble, const std::string& command) {
  if (trouble.err != 0) return OrderFailed(trouble, command, "container");
  return Fail(
      ErrorCode::kUnavailable,
      "the container ended before its program began: raise --memory, or look at the Docker Engine's log",
      trouble.what);
}

class DockerBackend : public Backend {
 public:
  DockerBackend(std::string runtime, bool warm) {
    host_.runtime = std::move(runtime);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets variables
    if (const char* wanted = std::getenv("CASEMATE_DOCKER_RUNTIME");
        host_.runtime.empty() && wanted != nullptr)
      host_.runtime = wanted;
    if (warm) warm_ = std::make_unique<WarmContainers>();
  }

  Tier tier() const override { return Tier::kDocker; }
  bool PlacesRoots() const override { return true; }
  bool CarriesNetwork() const override { return true; }

  Expected<EnforcementReport> Admit(const Policy& policy) override {
    const std::lock_guard lock(mutex_);
    if (auto asked = Ask(); !asked) return std::unexpected(asked.error());
    return AdmitOn(engine_, policy);
  }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    std::shared_ptr<const Api> api;
    HostFacts host;
    {
      const std::lock_guard lock(mutex_);
      if (auto asked = Ask(); !asked) return std::unexpected(asked.error());
      api = api_;
      host = host_;
    }
    std::vector<Timing> timings;
    auto container = Prepare(std::move(api), spec, host, timings);
    if (!container) return std::unexpected(std::move(container.error()));
    return Begin(spec, *std::move(container), std::move(timings), warm_.get());
  }

  std::vector<PoolStatus> Pools() const override {
    return warm_ ? warm_->status() : std::vector<PoolStatus>();
  }

 private:
  // A container that waits: one that is ready, or a new one.
  Expected<Container> Prepare(std::shared_ptr<const Api> api, const LaunchSpec& spec, const HostFacts& host,
                              std::vector<Timing>& timings) {
    const std::int64_t begin = MonotonicUs();
    const std::string image = ImageName(spec.environment);
    const std::string owner = OwnerOfThis();
    auto config = ContainerConfig(spec, host, image, owner, spec.id);
    if (!config) return std::unexpected(config.error());
    if (warm_) {
      const auto key = ContainerConfig(spec, host, image, owner, "warm");
      auto ready = warm_->Take(*key, api, {"casemate-" + UniqueName("warm"), *key, image, spec.environment});
      if (ready) {
        timings.push_back({"docker.take", MonotonicUs() - begin});
        return *std::move(ready);
      }
    }
    return MakeContainer(std::move(api),
                         {"casemate-" + UniqueName(spec.id), *std::move(config), image, spec.environment},
                         timings);
  }

  static Expected<std::unique_ptr<Sandbox>> Begin(const LaunchSpec& spec, Container container,
                                                  std::vector<Timing> timings, WarmContainers* warm) {
    const std::int64_t begin = MonotonicUs();
    auto sandbox = std::make_unique<DockerSandbox>();
    DockerSandbox::Parts& parts = sandbox->parts();
    parts.container = std::move(container);
    parts.limits = spec.policy.limits;
    if (warm != nullptr) {
      parts.discard = [warm](Container used) { warm->Discard(std::move(used)); };
    }
    auto order = LaunchOrder(spec);
    if (!order) return std::unexpected(order.error());
    auto ends = MakePipes(spec, parts.channels, parts.egress);
    if (!ends) return std::unexpected(ends.error());
    parts.carrier = std::make_unique<Carrier>(Carrier::Line{.in = std::move(parts.container.stream.fd),
                                                            .out = {},
                                                            .early = std::move(parts.container.stream.early)},
                                              *std::move(ends), *std::move(order),
                                              [self = sandbox.get()] { return self->HardKill(); });
    parts.carrier->Watch(parts.container.pidfd.get());
    parts.carrier->Start();
    const auto trouble = parts.carrier->WaitStarted(Deadline::After(kStartTimeoutMs));
    parts.started_at_us = MonotonicUs();
    parts.timings = std::move(timings);
    parts.timings.push_back({"docker.program", parts.started_at_us - begin});
    if (trouble) return NotStarted(*trouble, spec.argv.front());
    return sandbox;
  }

  static constexpr std::int64_t kAskAgainUs = 10'000'000;

  // What the engine is and can do; again after a while, since it may have been restarted as another.
  Expected<void> Ask() {
    const std::int64_t now = MonotonicUs();
    if (api_ && now - asked_at_us_ < kAskAgainUs) return {};
    auto place = FindPlace();
    if (!place) return std::unexpected(place.error());
    auto api = std::make_shared<Api>(*std::move(place));
    auto version = api->Negotiate();
    if (!version) return std::unexpected(std::move(version.error()));
    if (JsonAt(*version, {"Os"}) != "linux")
      return Fail(ErrorCode::kUnavailable, "the Docker Engine runs no Linux containers; switch it to them");
    auto info = api->Call("GET", "/info");
    if (!info) return std::unexpected(std::move(info.error()));
    if (!info->ok())
      return Fail(ErrorCode::kUnavailable, "the Docker Engine is not ready: " + info->message());
    if (auto taken = TakeInfo(info->body, api->place().local()); !taken) return taken;
    // The same object as long as it is the same engine: what is ready was made by it.
    if (!api_ || api_->place().Text() != api->place().Text() || api_->version() != api->version())
      api_ = std::move(api);
    asked_at_us_ = now;
    return {};
  }

  Expected<void> TakeInfo(const std::string& info, bool local) {
    const auto has = [&info](std::string_view name) { return JsonAt(info, {name}) == "true"; };
    engine_.local = host_.local = local;
    const std::string cpus = JsonAt(info, {"NCPU"});
    std::from_chars(cpus.data(), cpus.data() + cpus.size(), host_.cpus);
    engine_.limits_memory = has("MemoryLimit") && has("SwapLimit");
    engine_.limits_processes = has("PidsLimit");
    engine_.limits_cpus = has("CpuCfsQuota");
    const std::string security = JsonAt(info, {"SecurityOptions"});
    engine_.filters_calls = security.find("name=seccomp") != std::string::npos;
    engine_.maps_users = security.find("name=userns") != std::string::npos ||
                         security.find("name=rootless") != std::string::npos;
    engine_.cgroup_version = JsonAt(info, {"CgroupVersion"});
    const std::string runtimes = JsonAt(info, {"Runtimes"});
    engine_.runtime = host_.runtime.empty() ? JsonAt(info, {"DefaultRuntime"}) : host_.runtime;
    if (!host_.runtime.empty() && runtimes.find("\"" + host_.runtime + "\"") == std::string::npos) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("the Docker Engine has no runtime {}: install it and name it in \"runtimes\" of "
                      "/etc/docker/daemon.json",
                      host_.runtime));
    }
    return {};
  }

  std::mutex mutex_;
  std::shared_ptr<const Api> api_;
  std::int64_t asked_at_us_ = 0;
  HostFacts host_;
  EngineFacts engine_;
  std::unique_ptr<WarmContainers> warm_;  // of an engine that stays
};

}  // namespace

std::unique_ptr<Backend> MakeDockerBackend(bool warm, std::string runtime) {
  return std::make_unique<DockerBackend>(std::move(runtime), warm);
}

}  // namespace casemate::docker
