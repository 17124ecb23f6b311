#include "engine/session_cell.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "casemate/session_branches.h"
#include "confine/workspace_files.h"
#include "engine/armed_secrets.h"
#include "engine/assemble.h"
#include "engine/event_relay.h"
#include "engine/inspect_code.h"
#include "engine/launch_request.h"
#include "engine/recorder.h"
#include "engine/run_frame.h"
#include "engine/run_secrets.h"
#include "engine/scrub.h"
#include "engine/session_request.h"
#include "engine/step_sandbox.h"
#include "engine/tiers.h"
#include "runtime/frame.h"
#include "supervise/supervisor.h"
#include "supervise/verdict.h"

namespace casemate {
namespace {

constexpr std::int64_t kOpenMs = 20'000;

std::string MakeToken() {
  std::array<unsigned char, 16> bytes{};
  (void)!getrandom(bytes.data(), bytes.size(), 0);
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

class SessionCell : public LiveSession {
 public:
  SessionCell(EngineParts& parts, std::string id, const SessionOptions& options)
      : parts_(parts),
        id_(std::move(id)),
        base_(options.base),
        token_(MakeToken()),
        opening_(parts.audit.get(), base_, nullptr) {
    base_.code = "";
    base_.origin.session = id_;
    whole_.id = id_;
    whole_.policy = base_.policy;
    whole_.environment = base_.environment;
    whole_.code_sha256 = HashProgram(base_);
  }
  // A branch of `origin`, still without its sandbox.
  SessionCell(const SessionCell& origin, std::string id)
      : parts_(origin.parts_),
        id_(std::move(id)),
        base_(origin.base_),
        token_(origin.token_),
        whole_(origin.whole_),
        opening_(parts_.audit.get(), base_, nullptr),
        secrets_(origin.secrets_),
        known_(origin.known_),
        spec_(origin.spec_),
        checked_(origin.checked_),
        view_(origin.view_),
        steps_(origin.steps_),
        interrupts_(origin.interrupts_) {
    base_.origin.session = id_;
    whole_.id = id_;
  }
  SessionCell& operator=(const SessionCell&) = delete;
  ~SessionCell() override {
    // What it was not told of is its caller's wish.
    if (ended_because_.empty()) whole_.status = Status::kOk;
    sandbox_.reset();
    auto scrubber = Scrubber::Make(base_, known_);
    if (!scrubber) scrubber = Scrubber::MakePlain();
    (void)opening_.End((*scrubber)->Release(whole_));
  }

  Expected<void> Open(EnvironmentSource& environments);

  ExecutionResult Step(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                       bool cancel_on_hang_up) override;
  void Prepare(std::string context) override {
    context_ = std::move(context);
    wishes_.interrupt = false;
  }
  std::string Look() override;
  void Rest() override { sandbox_->session()->Rest(); }
  Expected<std::vector<std::unique_ptr<LiveSession>>> Fork(const std::vector<std::string>& ids) override;
  void Interrupt() override { wishes_.interrupt = true; }
  void End() override { wishes_.end = true; }
  Expected<FileAnswer> Files(const FileRequest& request) override {
    const std::shared_lock lock(place_);
    SessionControl& control = *sandbox_->session();
    return UseWorkspace({control.workspace_fd(), control.user_namespace_fd(), control.change_ids()}, request);
  }
  const EnforcementReport& isolation() const override { return whole_.isolation; }

 private:
  struct Ask {
    std::string bytes;
    int cancel_fd = -1;
    bool cancel_on_hang_up = false;
  };
  Expected<void> Launch(EnvironmentSource& environments);
  Expected<void> Run(const ExecutionRequest& step, Scrubber& scrubber, RunRecorder& recorder, Ask ask,
                     ExecutionResult& result);
  void Perform(const ExecutionRequest& step, Scrubber& scrubber, RunRecorder& recorder, const Ask& ask,
               ExecutionResult& result);
  bool IsGone() const;
  void NoteEnd(const ExecutionResult& step);
  void DiscardResultBytes() const;

  EngineParts& parts_;
  const std::string id_;
  ExecutionRequest base_;
  const std::string token_;
  ExecutionResult whole_;  // of the session, for its records
  RunRecorder opening_;
  std::vector<ResolvedSecret> secrets_;
  std::shared_ptr<const KnownValues> known_;
  LaunchSpec spec_;
  CheckedRequest checked_;  // that it was opened with
  EnvironmentView view_;
  std::string opening_bytes_;
  std::unique_ptr<Sandbox> sandbox_;
  // Held alone by a fork, after which the files are in another place.
  std::shared_mutex place_;
  StepSandbox::Wishes wishes_;
  std::string context_;  // of the next step
  std::int64_t steps_ = 0;
  std::int64_t interrupts_ = 0;  // sent so far
  std::int64_t cpu_at_rest_us_ = 0;
  std::string ended_because_;
};

Expected<void> SessionCell::Open(EnvironmentSource& environments) {
  auto launched = Launch(environments);
  if (!launched) {
    AssembleRefusal(launched.error(), whole_);
    ended_because_ = "it could not be opened";
    return launched;
  }
  // Step 0, which runs nothing: the interpreter seals itself and says that it is there.
  auto scrubber = Scrubber::Make(base_, known_);
  if (!scrubber) return std::unexpected(scrubber.error());
  spec_.policy.limits.wall_time_ms = kOpenMs;
  ExecutionResult result;
  RunRecorder unheard(nullptr, base_, nullptr);
  Perform(base_, **scrubber, unheard, {std::exchange(opening_bytes_, {})}, result);
  if (result.status == Status::kOk && !IsGone()) return {};
  ended_because_ = "its interpreter did not start";
  whole_.status = Status::kFailed;
  return Fail(ErrorCode::kInternal, "the session's interpreter did not start", result.stderr_text);
}

Expected<void> SessionCell::Launch(EnvironmentSource& environments) {
  if (auto may = CheckSessionBase(base_); !may) return may;
  auto checked = CheckRequest(base_);
  if (!checked) return std::unexpected(checked.error());
  if (checked->policy.checks.mode == ChecksMode::kRestricted) {
    return Fail(ErrorCode::kInvalidRequest,
                "a session's steps cannot be restricted: use checks \"checked\" or \"open\"");
  }
  if (checked->policy.network.open()) {
    return Fail(
        ErrorCode::kInvalidRequest,
        "a session has no network, since its proxy is made for one run: open it without \"network\", and "
        "fetch by single runs");
  }
  auto environment = environments.Find(base_.environment, true);
  if (!environment) return std::unexpected(environment.error());
  auto admitted = ChooseTier(parts_.backends, base_, checked->policy);
  if (!admitted) return std::unexpected(admitted.error());
  whole_.isolation = std::move(admitted->report);
  // RLIMIT_CPU would add up over all steps; and Landlock leaves a session's files to the mounts
  // (warm_cells.cc).
  for (Enforced& enforced : whole_.isolation.enforced) {
    constexpr std::string_view kPerProcess = ", RLIMIT_CPU";
    if (enforced.mechanism.ends_with(kPerProcess))
      enforced.mechanism.resize(enforced.mechanism.size() - kPerProcess.size());
    if (enforced.guarantee == PolicyClauseName(PolicyClause::kFilesystem))
      enforced.mechanism.resize(std::min(enforced.mechanism.find(", Landlock"), enforced.mechanism.size()));
  }
  if (!base_.secrets.empty()) {
    auto resolved = ResolveSecrets(base_, *parts_.secrets);
    if (!resolved) return std::unexpected(resolved.error());
    secrets_ = *std::move(resolved);
    known_ = ArmedSecrets::Make(secrets_);
  }
  view_ = (*environment)->view;
  auto launch = MakeLaunch(id_, base_, *checked, view_, (*environment)->harness);
  if (!launch) return std::unexpected(launch.error());
  spec_ = std::move(launch->spec);
  spec_.secrets = secrets_;
  spec_.session = token_;
  checked_ = *checked;
  auto scrubber = Scrubber::Make(base_, known_);
  if (!scrubber) return std::unexpected(scrubber.error());
  if (auto noted = opening_.Begin(whole_, checked_, view_, **scrubber); !noted) return noted;
  if (admitted->backend->tier() != Tier::kContainer) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the tier {} has no sessions: use isolation \"container\"",
                            TierName(admitted->backend->tier())));
  }
  auto sandbox = admitted->backend->Launch(spec_);
  if (!sandbox) return std::unexpected(sandbox.error());
  if ((*sandbox)->session() == nullptr)
    return Fail(ErrorCode::kUnavailable, "this engine's sandboxes cannot hold a session");
  sandbox_ = *std::move(sandbox);
  opening_bytes_ = std::string(sandbox_->request_prefix()) + launch->request_bytes;
  // What a launch needs alone: 80 KB of the harness, which an idle session would hold for its whole life.
  spec_.files = {};
  spec_.root_files = {};
  return {};
}

ExecutionResult SessionCell::Step(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                  bool cancel_on_hang_up) {
  ExecutionResult result;
  result.id = MakeRunId();
  result.policy = base_.policy;
  result.environment = base_.environment;
  result.code_sha256 = HashProgram(request);
  result.isolation = whole_.isolation;
  auto step = MakeStepRequest(base_, request);
  const ExecutionRequest& recorded = step ? *step : request;
  RunRecorder recorder(parts_.audit.get(), recorded, sink);
  auto scrubber = Scrubber::Make(recorded, known_);
  Expected<void> done;
  if (!step) {
    done = std::unexpected(step.error());
  } else if (!scrubber) {
    done = std::unexpected(scrubber.error());
  } else {
    done = Run(*step, **scrubber, recorder, {"", cancel_fd, cancel_on_hang_up}, result);
  }
  if (!done) AssembleRefusal(done.error(), result);
  if (!scrubber) scrubber = Scrubber::MakePlain();
  CleanResult clean = (*scrubber)->Release(result);
  if (auto noted = recorder.End(clean); !noted) {
    AssembleRefusal({ErrorCode::kInternal, noted.error().message, noted.error().cause}, result);
    clean = (*scrubber)->Release(result);
  }
  result.session = SessionNote{id_, steps_, ended_because_};
  if (sink != nullptr) EmitEnd(*sink, clean);
  return result;
}

Expected<void> SessionCell::Run(const ExecutionRequest& step, Scrubber& scrubber, RunRecorder& recorder,
                                Ask ask, ExecutionResult& result) {
  Stopwatch watch(result);
  auto checked = CheckRequest(step);
  if (!checked) return std::unexpected(checked.error());
  watch.Mark("check");
  auto passed = InspectCode(step, checked->policy.checks, result);
  if (!passed) return std::unexpected(passed.error());
  if (!*passed) return {};
  spec_.policy.limits = checked->policy.limits;
  ask.bytes = EncodeStep(step, checked->policy.limits, {++steps_, interrupts_, context_},
                         checked->input ? &*checked->input : nullptr);
  if (auto noted = recorder.Begin(result, *checked, view_, scrubber); !noted) return noted;
  watch.Mark("audit");
  Perform(step, scrubber, recorder, ask, result);
  watch.Mark("run");
  NoteEnd(result);
  return {};
}

void SessionCell::Perform(const ExecutionRequest& step, Scrubber& scrubber, RunRecorder& recorder,
                          const Ask& ask, ExecutionResult& result) {
  const Limits& limits = spec_.policy.limits;
  DiscardResultBytes();
  StepSandbox sandbox(*sandbox_, wishes_, interrupts_);
  EventRelay relay(limits, scrubber, step.keep_streams, recorder, token_);
  relay.Emit(StartedEvent{result.id});
  Outcome outcome = Supervise(sandbox, limits,
                              {.request_bytes = ask.bytes,
                               .cancel_fd = ask.cancel_fd,
                               .keep_streams = false,
                               .cancel_on_hang_up = ask.cancel_on_hang_up,
                               .step = true},
                              relay);
  cpu_at_rest_us_ = sandbox.cpu_before_us() + outcome.reading.cpu_time_us;
  relay.FinishStreams(limits, outcome);
  const std::size_t denials_told = outcome.denials.size();
  Assemble(step, spec_, std::move(outcome), relay.TakeReport(), result);
  if (wishes_.interrupt && result.status == Status::kError) result.status = Status::kCancelled;
  if (result.status == Status::kOk && IsGone()) {
    result.status = Status::kError;
    result.error =
        ProgramError{"casemate.session_ended", "the step ended its interpreter, and the session with it", "",
                     "leave a step by sys.exit() or an exception, and open a new session"};
  }
  scrubber.Finish(step, denials_told, result);
  relay.EmitDenials(result.denials, denials_told);
}

Expected<std::vector<std::unique_ptr<LiveSession>>> SessionCell::Fork(const std::vector<std::string>& ids) {
  auto scrubber = Scrubber::Make(base_, known_);
  if (!scrubber) return std::unexpected(scrubber.error());
  std::vector<std::unique_ptr<SessionCell>> cells;
  for (const std::string& id : ids) {
    cells.push_back(std::make_unique<SessionCell>(*this, id));
    if (auto noted = cells.back()->opening_.Begin(cells.back()->whole_, checked_, view_, **scrubber); !noted)
      return std::unexpected(noted.error());
  }
  const std::string ask =
      EncodeFrame(FrameType::kBranch, fmt::format("{}", ids.size() + 1)) + EncodeFrame(FrameType::kGo, {});
  auto* const branching = dynamic_cast<BranchControl*>(sandbox_.get());
  if (branching == nullptr) return Fail(ErrorCode::kUnavailable, "this tier's sandboxes cannot be copied");
  std::unique_lock lock(place_);
  auto copies = branching->Fork(ask, static_cast<int>(ids.size()) + 1);
  lock.unlock();
  if (!copies) {
    for (const auto& cell : cells) {
      AssembleRefusal(copies.error(), cell->whole_);
      cell->ended_because_ = "it could not be made";
    }
    if (copies.error().code != ErrorCode::kUnavailable) {
      ended_because_ = "a fork of it failed";
      whole_.status = Status::kFailed;
    }
    return std::unexpected(copies.error());
  }
  cpu_at_rest_us_ = 0;
  std::vector<std::unique_ptr<LiveSession>> all;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i]->sandbox_ = std::move((*copies)[i]);
    all.push_back(std::move(cells[i]));
  }
  return all;
}

bool SessionCell::IsGone() const {
  pollfd gone{sandbox_->exit_fd(), POLLIN, 0};
  return poll(&gone, 1, 0) > 0;
}

// What a session's end means for the step in which it came.
void SessionCell::NoteEnd(const ExecutionResult& step) {
  if (!IsGone()) return;
  ended_because_ =
      step.status == Status::kOk || step.status == Status::kError
          ? "its interpreter ended in a step"
          : fmt::format("a step ended with {} and its interpreter with it", StatusName(step.status));
  whole_.status = step.status == Status::kOk ? Status::kError : step.status;
}

// What came after the end of the last step was written by its program, and belongs to none.
void SessionCell::DiscardResultBytes() const {
  constexpr int kPiecesMax = 64;
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (int piece = 0; piece < kPiecesMax; ++piece) {
    if (read(sandbox_->ChannelFd(Channel::kResult), buffer.data(), buffer.size()) <= 0) return;
  }
}

std::string SessionCell::Look() {
  if (!ended_because_.empty()) return ended_because_;
  if (IsGone()) {
    ended_because_ = "its interpreter ended between steps";
    whole_.status = Status::kError;
    return ended_because_;
  }
  const Limits& limits = spec_.policy.limits;
  const std::int64_t used_us = sandbox_->session()->CpuTimeUs() - cpu_at_rest_us_;
  if (used_us < CpuTimeMs(limits) * 1000) return "";
  ended_because_ = "it used more CPU time between two steps than a step may";
  whole_.status = Status::kCpuLimit;
  return ended_because_;
}

}  // namespace

Expected<std::unique_ptr<LiveSession>> SessionMaker::Make(const std::string& id,
                                                          const SessionOptions& options) {
  auto cell = std::make_unique<SessionCell>(parts_, id, options);
  if (auto opened = cell->Open(environments_); !opened) return std::unexpected(opened.error());
  return cell;
}

}  // namespace casemate
