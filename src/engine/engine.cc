// The whole flow of a run, on one screen. Each stage is a folder of its own; only this file knows their
// order.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/armed_secrets.h"
#include "engine/assemble.h"
#include "engine/environment_source.h"
#include "engine/event_relay.h"
#include "engine/flow.h"
#include "engine/inspect_code.h"
#include "engine/launch_request.h"
#include "engine/recorder.h"
#include "engine/run_frame.h"
#include "engine/run_network.h"
#include "engine/run_secrets.h"
#include "engine/scrub.h"
#include "engine/session_cell.h"
#include "engine/tiers.h"
#include "policy/glob.h"
#include "sessions/session_store.h"
#include "supervise/supervisor.h"

namespace casemate {
namespace {

class FlowEngine : public Engine {
 public:
  explicit FlowEngine(EngineParts parts) : parts_(std::move(parts)), environments_(parts_) {
    // Warm from the start; an error is each run's own to tell.
    if (parts_.resident) (void)environments_.Find("host", true);
  }

  Sessions* sessions() override { return parts_.resident ? &sessions_ : nullptr; }

  std::vector<PoolStatus> Pools() const override {
    std::vector<PoolStatus> all;
    for (const auto& backend : parts_.backends) {
      for (PoolStatus& pool : backend->Pools()) all.push_back(std::move(pool));
    }
    return all;
  }

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override {
    ExecutionResult result;
    Stopwatch watch(result);
    result.id = MakeRunId();
    result.policy = request.policy;
    result.environment = request.environment;
    result.code_sha256 = HashProgram(request);
    RunRecorder recorder(parts_.audit.get(), request, sink);
    auto scrubber = Scrubber::Make(request, nullptr);
    if (!scrubber) {
      AssembleRefusal(scrubber.error(), result);
      scrubber = Scrubber::MakePlain();
    } else if (auto done = Run(request, *scrubber, recorder, {cancel_fd, cancel_when}, watch, result);
               !done) {
      AssembleRefusal(done.error(), result);
    }
    // What ran and cannot be recorded is our own failure, whatever became of the program.
    CleanResult clean = (*scrubber)->Release(result);
    if (auto noted = recorder.End(clean); !noted) {
      AssembleRefusal({ErrorCode::kInternal, noted.error().message, noted.error().cause}, result);
      clean = (*scrubber)->Release(result);
    }
    watch.Mark("record");
    if (sink != nullptr) EmitEnd(*sink, clean);
    return result;
  }

 private:
  struct Cancel {
    int fd;
    CancelWhen when;
  };

  Expected<void> Run(const ExecutionRequest& request, std::unique_ptr<Scrubber>& scrubber,
                     RunRecorder& recorder, Cancel cancel, Stopwatch& watch, ExecutionResult& result) {
    auto checked = CheckRequest(request);
    if (!checked) return std::unexpected(checked.error());
    watch.Mark("check");

    auto passed = InspectCode(request, checked->policy.checks, result);
    if (!passed) return std::unexpected(passed.error());
    if (!*passed) return {};
    if (result.checks != ChecksMode::kOpen) watch.Mark("inspect");

    auto environment = environments_.Find(request.environment, request.command.empty());
    if (!environment) return std::unexpected(environment.error());
    result.environment = (*environment)->name;
    watch.Mark("environment");

    auto admitted = ChooseTier(parts_.backends, request, checked->policy);
    if (!admitted) return std::unexpected(admitted.error());
    result.isolation = std::move(admitted->report);
    watch.Mark("admit");

    auto secrets = TakeSecrets(request, scrubber, watch);
    if (!secrets) return std::unexpected(secrets.error());
    auto launch = MakeLaunch(result.id, request, *checked, (*environment)->view, (*environment)->harness);
    if (!launch) return std::unexpected(launch.error());
    launch->spec.secrets = *std::move(secrets);
    if (auto added = AddRestricted(checked->policy.checks, parts_.state_dir, launch->spec); !added)
      return std::unexpected(added.error());
    watch.Mark("plan");
    auto noted = recorder.Begin(result, *checked, (*environment)->view, *scrubber);
    if (!noted) return std::unexpected(noted.error());
    watch.Mark("audit");
    std::unique_ptr<RunNetwork> network;
    if (auto opened = OpenNetwork(request, launch->spec, watch, network); !opened) return opened;
    auto sandbox = Launch(*admitted->backend, request, launch->spec, result);
    if (sandbox && network) sandbox = network->Attach(*std::move(sandbox));
    if (!sandbox) return std::unexpected(sandbox.error());
    watch.Take((*sandbox)->StartTimings());
    launch->request_bytes.insert(0, (*sandbox)->request_prefix());

    EventRelay relay(checked->policy.limits, *scrubber, request.keep_streams, recorder);
    relay.Emit(StartedEvent{result.id});
    Outcome outcome = Supervise(**sandbox, checked->policy.limits,
                                {launch->request_bytes, request.stdin_bytes, request.stdin_fd, cancel.fd,
                                 false, MustBeGone(request, checked->policy),
                                 cancel.when == CancelWhen::kHungUp, request.terminal.value_or(Terminal())},
                                relay);
    watch.Mark("run");

    relay.FinishStreams(checked->policy.limits, outcome);
    const std::size_t denials_told = outcome.denials.size();
    Assemble(request, launch->spec, std::move(outcome), relay.TakeReport(), result);
    if (network) network->Finish(*scrubber, result);
    auto collected = Collect(request, **sandbox, checked->policy.limits, result);
    scrubber->Finish(request, denials_told, result);
    watch.Mark("redact");
    relay.EmitDenials(result.denials, denials_told);
    sandbox->reset();
    watch.Mark("teardown");
    if (collected) return {};
    result.truncated.files_cut = true;
    // A run that had already failed keeps its own verdict.
    return result.status == Status::kOk ? collected : Expected<void>();
  }

  // Before its caller looks at what the program has left: a program that has told its end may be another than
  // it says.
  static bool MustBeGone(const ExecutionRequest& request, const Policy& policy) {
    return !request.collect.empty() || policy.writes_host_folder;
  }

  // What the run is given, and a scrubber that knows it.
  Expected<std::vector<ResolvedSecret>> TakeSecrets(const ExecutionRequest& request,
                                                    std::unique_ptr<Scrubber>& scrubber, Stopwatch& watch) {
    if (request.secrets.empty()) return {};
    auto secrets = ResolveSecrets(request, *parts_.secrets);
    if (!secrets || secrets->empty()) return secrets;
    watch.Mark("secrets");
    auto armed = Scrubber::Make(request, armed_.For(*secrets));
    if (!armed) return std::unexpected(armed.error());
    scrubber = *std::move(armed);
    return secrets;
  }

  static Expected<void> OpenNetwork(const ExecutionRequest& request, LaunchSpec& spec, Stopwatch& watch,
                                    std::unique_ptr<RunNetwork>& network) {
    if (!spec.policy.network.open()) return {};
    auto started = RunNetwork::Start(request, spec);
    if (!started) return std::unexpected(started.error());
    network = *std::move(started);
    watch.Mark("egress_proxy");
    return {};
  }

  // In `backend`, or in the strongest below it that the request allows: only a launch shows whether the host
  // can.
  Expected<std::unique_ptr<Sandbox>> Launch(Backend& backend, const ExecutionRequest& request,
                                            const LaunchSpec& spec, ExecutionResult& result) const {
    std::vector<PassedOver> failed;
    for (Backend* next = &backend;;) {
      auto sandbox = LaunchIn(*next, spec);
      if (sandbox || !MayTryWeaker(request, sandbox.error())) return sandbox;
      failed.push_back({next->tier(), sandbox.error().ToString()});
      auto admitted = ChooseTier(parts_.backends, request, spec.policy, failed);
      if (!admitted) return std::unexpected(admitted.error());
      result.isolation = std::move(admitted->report);
      next = admitted->backend;
    }
  }

  static Expected<std::unique_ptr<Sandbox>> LaunchIn(Backend& backend, const LaunchSpec& spec) {
    if (spec.environment.placed_paths.empty() || backend.PlacesRoots()) return backend.Launch(spec);
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format(
            "the tier {} cannot show a program the root of an image; use --isolation container or docker",
            TierName(backend.tier())));
  }

  static Expected<void> Collect(const ExecutionRequest& request, Sandbox& sandbox, const Limits& limits,
                                ExecutionResult& result) {
    if (request.collect.empty()) return {};
    std::vector<Glob> globs;
    for (const std::string& pattern : request.collect) {
      auto glob = Glob::Parse(pattern);
      if (!glob) return std::unexpected(glob.error());
      globs.push_back(*std::move(glob));
    }
    const auto wanted = [&globs](std::string_view path) {
      return std::ranges::any_of(globs, [path](const Glob& glob) { return glob.Matches(path); });
    };
    auto files = sandbox.CollectFiles(wanted, limits.files_bytes_max);
    if (!files) return std::unexpected(files.error());
    result.files = *std::move(files);
    result.truncated.files_cut = std::ranges::any_of(result.files, &OutputFile::truncated);
    return {};
  }

  EngineParts parts_;
  ArmedSecrets armed_;
  EnvironmentSource environments_;
  SessionMaker session_maker_{parts_, environments_};
  SessionStore sessions_{session_maker_,
                         {.live_max = parts_.sessions_max, .why_no_more = parts_.why_no_more_sessions}};
};

}  // namespace

std::unique_ptr<Engine> MakeEngineOf(EngineParts parts) {
  return std::make_unique<FlowEngine>(std::move(parts));
}

}  // namespace casemate
