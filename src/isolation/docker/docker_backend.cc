// Theory of operation: a launch.
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
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
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

namespace casemate::docker {
namespace {

constexpr std::int64_t kStartTimeoutMs = 60'000;
constexpr int kNotFound = 404;

struct PipePair {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<PipePair> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                     "pipe2");
  }
  return PipePair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class Launcher {
 public:
  Launcher(std::shared_ptr<const Api> api, const LaunchSpec& spec, HostFacts host)
      : api_(std::move(api)), spec_(spec), host_(std::move(host)), mark_us_(MonotonicUs()) {}

  Expected<std::unique_ptr<Sandbox>> Run() {
    sandbox_->parts().api = api_;
    sandbox_->parts().limits = spec_.policy.limits;
    for (auto step :
         {&Launcher::Create, &Launcher::Attach, &Launcher::Start, &Launcher::Find, &Launcher::Await}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    return std::move(sandbox_);
  }

 private:
  DockerSandbox::Parts& parts() { return sandbox_->parts(); }

  void Mark(std::string_view step) {
    const std::int64_t now = MonotonicUs();
    parts().timings.push_back({std::string(step), now - mark_us_});
    mark_us_ = now;
  }

  std::unexpected<Error> Refused(std::string_view what, const Reply& reply) const {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the Docker Engine cannot {}: {}", what, reply.message()),
                fmt::format("status {}", reply.status));
  }

  Expected<void> Create() {
    const std::string image = ImageName(spec_.environment);
    const auto config = ContainerConfig(spec_, host_, image, OwnerOfThis());
    if (!config) return std::unexpected(config.error());
    const std::string target = "/containers/create?name=casemate-" + UniqueName(spec_.id);
    auto reply = api_->Call("POST", target, *config);
    if (reply && reply->status == kNotFound) {
      static std::mutex one_build;
      const std::lock_guard lock(one_build);
      reply = api_->Call("POST", target, *config);
      if (reply && reply->status == kNotFound) {
        if (auto built = BuildImage(*api_, spec_.environment, image); !built) return built;
        Mark("docker.image");
        reply = api_->Call("POST", target, *config);
      }
    }
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!reply->ok()) return Refused("make a container", *reply);
    parts().id = JsonAt(reply->body, {"Id"});
    Mark("docker.create");
    return {};
  }

  Expected<void> Attach() {
    auto order = LaunchOrder(spec_);
    if (!order) return std::unexpected(order.error());
    Carrier::Ends ends;
    const auto join = [this](Channel channel, bool program_reads, UniqueFd& inner) -> Expected<void> {
      auto pipe = MakePipe();
      if (!pipe) return std::unexpected(pipe.error());
      inner = std::move(program_reads ? pipe->read_end : pipe->write_end);
      parts().channels[static_cast<std::size_t>(channel)] =
          std::move(program_reads ? pipe->write_end : pipe->read_end);
      return {};
    };
    Expected<void> done = join(Channel::kStdout, false, ends.stdout_end);
    if (done) done = join(Channel::kStderr, false, ends.stderr_end);
    if (done && spec_.stdin_pipe) done = join(Channel::kStdin, true, ends.stdin_end);
    if (done && spec_.control_channel) done = join(Channel::kRequest, true, ends.request_end);
    if (done && spec_.control_channel) done = join(Channel::kResult, false, ends.result_end);
    if (!done) return done;
    auto stream = api_->Hijack("/containers/" + parts().id + "/attach?stream=1&stdin=1&stdout=1&stderr=1");
    if (!stream) return std::unexpected(std::move(stream.error()));
    parts().carrier = std::make_unique<Carrier>(*std::move(stream), std::move(ends), *std::move(order),
                                                [sandbox = sandbox_.get()] { return sandbox->HardKill(); });
    Mark("docker.attach");
    return {};
  }

  Expected<void> Start() {
    const auto reply = api_->Call("POST", "/containers/" + parts().id + "/start", {}, kStartTimeoutMs);
    if (!reply) return std::unexpected(reply.error());
    if (!reply->ok()) return Refused("start the container", *reply);
    Mark("docker.start");
    return {};
  }

  // Its first process, seen from this host.
  Expected<void> Find() {
    if (host_.local) {
      const auto reply = api_->Call("GET", "/containers/" + parts().id + "/json");
      if (!reply) return std::unexpected(reply.error());
      pid_t pid = 0;
      const std::string text = JsonAt(reply->body, {"State", "Pid"});
      std::from_chars(text.data(), text.data() + text.size(), pid);
      if (pid > 0) {
        UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
        parts().counters = Counters::Open(pid, parts().id);
        // Only a process whose cgroup has the container's name is the one that is meant.
        if (parts().counters) parts().pidfd = std::move(pidfd);
      }
    }
    parts().carrier->Watch(parts().pidfd.get());
    parts().carrier->Start();
    Mark("docker.find");
    return {};
  }

  Expected<void> Await() {
    const auto trouble = parts().carrier->WaitStarted(Deadline::After(kStartTimeoutMs));
    parts().started_at_us = MonotonicUs();
    Mark("docker.program");
    if (!trouble) return {};
    const std::string& command = spec_.argv.front();
    if (trouble->what == "execute it" && trouble->err == ENOENT) {
      return Fail(
          ErrorCode::kNotFound,
          fmt::format("there is no command {} in the image; it has the interpreter, its packages and the "
                      "commands of profiles/docker/image.toml",
                      command));
    }
    if (trouble->what == "execute it" && trouble->err == EACCES) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} cannot be executed in the sandbox; is it an executable file?", command));
    }
    if (trouble->err == ENOSPC)
      return Fail(ErrorCode::kInvalidRequest,
                  "the input files do not fit into the sandbox; raise --tmp-size");
    if (trouble->err == 0) {
      return Fail(
          ErrorCode::kUnavailable,
          "the container ended before its program began: raise --memory, or look at the Docker Engine's log",
          trouble->what);
    }
    return FailErrno(ErrorCode::kUnavailable,
                     fmt::format("the container could not {}; run `casemate doctor`", trouble->what),
                     "attendant", trouble->err);
  }

  std::shared_ptr<const Api> api_;
  const LaunchSpec& spec_;
  HostFacts host_;
  std::int64_t mark_us_;
  std::unique_ptr<DockerSandbox> sandbox_ = std::make_unique<DockerSandbox>();
};

class DockerBackend : public Backend {
 public:
  explicit DockerBackend(std::string runtime) { host_.runtime = std::move(runtime); }

  Tier tier() const override { return Tier::kDocker; }

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
    return Launcher(std::move(api), spec, std::move(host)).Run();
  }

 private:
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
};

}  // namespace

std::unique_ptr<Backend> MakeDockerBackend(std::string runtime) {
  return std::make_unique<DockerBackend>(std::move(runtime));
}

}  // namespace casemate::docker
