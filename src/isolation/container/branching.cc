// Theory of operation: why a copy is isolated although the process that was copied is hostile.
//
//   1  The origin is asked, and only then its clone(2) with new namespaces is let through, as often as asked.
//      What a branch gets from outside is made meanwhile.
//   2  Its children, each pid 1 of its own, wait while agents of ours write their id maps and mount their
//      files.
//   3  Each copy, pid 2, closes all it has and waits. Until here the origin has power over both: its user id
//      owns their user namespace, and they have numbers in its pid namespace. One of the copies may be in its
//      very memory (cell_branch.h).
//   4  When all copies wait, everything of the origin's program is killed. Its pid 1, which is ours, is told
//      to stay: the copies' pid namespaces live below its own.
//   5  Now nothing that runs is hostile, and what waits cannot move: each copy is looked at (branch_check.h),
//      by the kernel's account alone. What is not as it should be ends all of them. Nobody is left who could
//      share the memory of one but another copy, and that is looked at too.
//   6  Each gets its channels, and its call is answered.
//
// Copies have the same ids in user namespaces of their own that are siblings: neither has a capability over
// the other, and neither can name the other's processes.
#include "isolation/container/branching.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <span>
#include <utility>

#include "base/descriptor_message.h"
#include "base/errno.h"
#include "confine/cell_branch.h"
#include "confine/init_binary.h"
#include "confine/syscalls.h"
#include "isolation/container/branch_agent.h"
#include "isolation/container/branch_check.h"
#include "isolation/container/channels.h"
#include "isolation/container/session_program.h"

namespace casemate::container {
namespace {

using Parts = ContainerSandbox::Parts;

constexpr std::int64_t kPatienceMs = 10'000;
constexpr std::int64_t kRemovalMs = 1000;
constexpr std::int64_t kLookMs = 100;
constexpr rlim_t kFilesLeast = 24;

struct Branch {
  Parts parts;
  ChannelEnds ends;
  std::vector<UniqueFd> tasks;  // of its cgroup
  std::optional<BranchAgent> agent;
  WaitingProcess process;
  std::uint64_t init_call = 0;  // in which its pid 1 waits
  std::uint64_t call = 0;       // in which the copy waits
};

class Branching {
 public:
  Branching(Parts& origin, int count) : origin_(origin), count_(count) {}

  Expected<void> Ask(std::string_view ask);
  Expected<void> Prepare();
  Expected<void> Equip();
  Expected<void> Make();
  Expected<void> Part();
  Expected<std::vector<Parts>> Release();
  // Ends the copies. With `soft` the origin is told, and goes on as it was.
  void GiveUp(bool soft);

 private:
  using Lock = std::unique_lock<std::mutex>;
  FamilyListener& family() { return *origin_.family; }
  FamilyMember& member() { return *origin_.member; }
  Expected<void> Take(const seccomp_notif& call);
  Expected<void> Meet(const seccomp_notif& call);
  Expected<void> Furnish(Branch& branch);
  Expected<void> HandAll(std::uint64_t call, std::span<const int> fds, int number);
  Expected<void> Park(const seccomp_notif& call);
  void TurnAway(const seccomp_notif& call);
  bool LostOne() const;
  bool Complete() const {
    return std::ranges::all_of(branches_, [](const Branch& branch) { return branch.call != 0; });
  }
  bool IsWaiting(const seccomp_notif& call, BranchPoint point) const {
    return call.data.nr == SYS_unshare && call.data.args[1] == kBranchMark &&
           call.data.args[2] == static_cast<std::uint64_t>(point);
  }

  Parts& origin_;
  const int count_;
  const Deadline deadline_ = Deadline::After(kPatienceMs);
  pid_t program_ = -1;
  pid_t init_ = -1;
  int clones_ = 0;
  int inits_ = 0;     // that have come
  int request_ = -1;  // where a copy finds its requests: as high as its limit of open files allows
  std::uint64_t origin_call_ = 0;  // in which the origin waits for its end
  std::string origin_status_;
  UniqueFd reaper_;
  bool own_workspace_ = true;
  std::vector<Branch> branches_;
  Lock hold_;
};

// It is asked before it is known whether it can be copied: its way to its first call, which waits, takes as
// long as finding that out.
Expected<void> Branching::Ask(std::string_view ask) {
  program_ = PidOf(origin_.program.get());
  init_ = PidOf(origin_.pidfd.get());
  if (program_ <= 0 || init_ <= 0)
    return Fail(ErrorCode::kUnavailable, "the session's interpreter has ended");
  if (!origin_.family) {
    if (!origin_.listener || origin_.listener->fd() < 0) {
      return Fail(ErrorCode::kUnavailable,
                  "the session has made so many refused calls that nobody answers them any more, and a copy "
                  "needs an answer: open a new session");
    }
    auto family = std::make_shared<FamilyListener>(origin_.listener->Release());
    auto joined = family->Join(origin_.pidfd.get(), PidNamespaceOf(init_));
    if (!joined) return std::unexpected(joined.error());
    origin_.listener.reset();
    origin_.family = std::move(family);
    origin_.member = *std::move(joined);
  }
  hold_ = family().Hold();
  const int request = origin_.channels[static_cast<std::size_t>(Channel::kRequest)].get();
  if (write(request, ask.data(), ask.size()) != static_cast<ssize_t>(ask.size()))
    return Fail(ErrorCode::kUnavailable, "the session does not listen");
  return {};
}

Expected<void> Branching::Prepare() {
  if (std::string why = WhyNoBranch(program_, origin_.scratch.get(), origin_.workspace.get()); !why.empty())
    return Fail(ErrorCode::kUnavailable, std::move(why));
  origin_status_ = StatusOf(program_);
  rlimit files{};
  if (prlimit(program_, RLIMIT_NOFILE, nullptr, &files) != 0 || files.rlim_cur < kFilesLeast) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the session's limit of open files (RLIMIT_NOFILE) is below {}, which a copy needs",
                    kFilesLeast));
  }
  request_ = static_cast<int>(std::min<rlim_t>(files.rlim_cur, kRequestFd)) - 2;
  auto reaper = OpenInitBinary();
  if (!reaper) return std::unexpected(reaper.error());
  reaper_ = *std::move(reaper);
  struct stat own {};
  struct stat work {};
  fstat(origin_.scratch.get(), &own);
  fstat(origin_.workspace.get(), &work);
  own_workspace_ = own.st_dev == work.st_dev;
  return {};
}

// What needs no process of the branches: made while the session is on its way.
Expected<void> Branching::Equip() {
  branches_.reserve(static_cast<std::size_t>(count_));
  for (int i = 0; i < count_; ++i) {
    Branch& branch = branches_.emplace_back();
    Parts& parts = branch.parts;
    parts.limits = origin_.limits;
    parts.change_ids = origin_.change_ids;
    parts.ids = IdLease(UniqueFd(), origin_.ids.base());
    parts.zygote_control = origin_.zygote_control;
    parts.kin = origin_.kin;
    parts.slot = std::make_shared<CellSlot>();
    parts.slot->zygote = -1;  // its cgroup is nobody's after it
    parts.slot->limits = parts.limits;
    auto kit = origin_.kin->stock->Take(parts.limits);
    if (!kit) return std::unexpected(kit.error());
    parts.cgroup = std::move(kit->cgroup);
    branch.tasks = std::move(kit->tasks);
    branch.agent.emplace(std::move(kit->agent));
    auto ends = MakeChannels({true, true, kPatienceMs}, parts);
    if (!ends) return std::unexpected(ends.error());
    branch.ends = *std::move(ends);
  }
  return {};
}

bool Branching::LostOne() const {
  return std::ranges::any_of(branches_, [](const Branch& branch) {
    pollfd gone{branch.parts.pidfd.get(), POLLIN, 0};
    return gone.fd >= 0 && branch.call == 0 && poll(&gone, 1, 0) != 0;
  });
}

Expected<void> Branching::Make() {
  while (origin_call_ == 0 || !Complete()) {
    pollfd gone{origin_.pidfd.get(), POLLIN, 0};
    const auto call = family().Await(Deadline::After(kLookMs), member());
    if (LostOne()) {
      if (call) TurnAway(*call);
      return Fail(
          ErrorCode::kUnavailable,
          "a copy of the session could not be made: its limits of processes or memory may be reached");
    }
    if (!call && !deadline_.Passed() && poll(&gone, 1, 0) == 0) continue;
    if (!call || poll(&gone, 1, 0) != 0) {
      return Fail(ErrorCode::kInternal, "the session did not make copies of itself in time; it is ended");
    }
    if (auto taken = Take(*call); !taken) {
      family().Refuse(call->id, EPERM);
      return taken;
    }
  }
  return {};
}

Expected<void> Branching::Take(const seccomp_notif& call) {
  const auto pid = static_cast<pid_t>(call.pid);
  const bool is_origin = pid == program_;
  const unsigned long flags = clones_ + 1 < count_ ? kBranchCloneFlags : kLastCloneFlags;
  if (is_origin && call.data.nr == SYS_clone && call.data.args[0] == flags && clones_ < count_) {
    ++clones_;
    family().Continue(call.id);
    return {};
  }
  if (is_origin && IsWaiting(call, BranchPoint::kOrigin)) {
    origin_call_ = call.id;
    const auto failed = static_cast<int>(call.data.args[3]);
    if (failed == 0 && inits_ == count_) return {};
    if (failed == EAGAIN) return NoRoomForCopies("clone");
    return FailErrno(ErrorCode::kUnavailable,
                     "the session could not make a copy of itself: it may have been forked too often in one "
                     "line (32 levels), or the host has no more namespaces or memory for it",
                     "clone", failed);
  }
  if (!is_origin && IsWaiting(call, BranchPoint::kInit) && inits_ < clones_) return Meet(call);
  if (!is_origin && IsWaiting(call, BranchPoint::kCopy) && inits_ == count_) return Park(call);
  // Some other thread's or process's.
  if (PidNamespaceOf(pid) == member().pid_namespace) {
    family().AnswerFor(member(), call);
    return {};
  }
  return Fail(ErrorCode::kInternal, "a copy of the session was not as it should be; the session is ended");
}

// Pid 1 of a new branch waits. When all do, one after the other goes on as its agent comes to an end.
Expected<void> Branching::Meet(const seccomp_notif& call) {
  const auto pid = static_cast<pid_t>(call.pid);
  Branch& branch = branches_[static_cast<std::size_t>(inits_)];
  Parts& parts = branch.parts;
  parts.pidfd.reset(PidfdOpen(pid));
  const std::string status = StatusOf(pid);
  if (!parts.pidfd.valid() || InnermostPidIn(status) != 1 || ParentIn(status) != program_ ||
      !family().StillWaits(call.id)) {
    return Fail(ErrorCode::kInternal, "a copy of the session was not as it should be; the session is ended");
  }
  ++inits_;
  branch.process.init = pid;
  branch.init_call = call.id;
  if (!origin_.kin->counts_all) parts.init = pid;
  parts.user_namespace.reset(open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!parts.user_namespace.valid())
    return FailErrno(ErrorCode::kInternal, "cannot prepare a branch", "open");
  const BranchOrder order{pid,
                          parts.pidfd.get(),
                          origin_.user_namespace.get(),
                          origin_.scratch.get(),
                          parts.change_ids,
                          own_workspace_,
                          parts.limits};
  if (auto begun = branch.agent->Begin(order); !begun) return begun;
  if (inits_ < count_) return {};
  for (Branch& each : branches_) {
    if (auto furnished = Furnish(each); !furnished) return furnished;
  }
  return {};
}

Expected<void> Branching::Furnish(Branch& branch) {
  Parts& parts = branch.parts;
  auto files = branch.agent->Finish();
  if (files) origin_.kin->stock->Retire(*std::move(branch.agent));
  branch.agent.reset();
  if (!files) return std::unexpected(files.error());
  parts.scratch = std::move(files->scratch);
  parts.workspace = std::move(files->workspace);
  auto joined = family().Join(parts.pidfd.get(), 0);
  if (!joined) return std::unexpected(joined.error());
  parts.family = origin_.family;
  parts.member = *std::move(joined);
  std::vector<int> fds{branch.ends.lifeline.get(), branch.ends.exit_status.get(), reaper_.get()};
  for (const UniqueFd& task : branch.tasks) fds.push_back(task.get());
  return HandAll(branch.init_call, fds, kBranchSocket);
}

// Answers a call of a branch with these descriptors (cell_branch.h).
Expected<void> Branching::HandAll(std::uint64_t call, std::span<const int> fds, int number) {
  constexpr std::array kByte = {std::byte{'d'}};
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(ErrorCode::kUnavailable, "out of file descriptors; raise the limit with ulimit -n",
                     "socketpair");
  }
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (SendDescriptors(ours.get(), kByte, fds) == 0 && family().Hand(call, theirs.get(), number)) return {};
  return Fail(ErrorCode::kUnavailable, "the session could not be given what a copy needs");
}

// A copy itself waits.
Expected<void> Branching::Park(const seccomp_notif& call) {
  const auto pid = static_cast<pid_t>(call.pid);
  UniqueFd pidfd(PidfdOpen(pid));
  const pid_t parent = ParentIn(StatusOf(pid));
  const auto found = std::ranges::find_if(
      branches_, [&](const Branch& branch) { return branch.process.init == parent && branch.call == 0; });
  if (!pidfd.valid() || found == branches_.end() || !family().StillWaits(call.id)) {
    return Fail(ErrorCode::kInternal, "a copy of the session was not as it should be; the session is ended");
  }
  found->parts.program = std::move(pidfd);
  found->process.pid = pid;
  found->call = call.id;
  return {};
}

// No copy is made any more. The origin says once that it waits, and is let go when all else has ended.
void Branching::TurnAway(const seccomp_notif& call) {
  if (static_cast<pid_t>(call.pid) == program_ && IsWaiting(call, BranchPoint::kOrigin)) {
    origin_call_ = call.id;
  } else {
    family().Refuse(call.id, ECANCELED);
  }
}

// The inits that wait go first: the origin waits for them.
void Branching::GiveUp(bool soft) {
  for (Branch& branch : branches_) {
    branch.agent.reset();
    if (branch.parts.pidfd.valid()) {
      PidfdSendSignal(branch.parts.pidfd.get(), SIGKILL);
      pollfd gone{branch.parts.pidfd.get(), POLLIN, 0};
      (void)poll(&gone, 1, static_cast<int>(kPatienceMs));
    }
    if (branch.parts.cgroup) branch.parts.cgroup->Remove(kRemovalMs);
  }
  branches_.clear();
  while (soft && origin_call_ == 0) {
    const auto call = family().Await(deadline_, member());
    if (!call) break;
    TurnAway(*call);
  }
  if (soft && origin_call_ != 0) family().Refuse(origin_call_, ECANCELED);
}

// The origin's program ends here; what it was goes on in its copies.
Expected<void> Branching::Part() {
  const char stay = 's';
  std::vector<pid_t> kept;
  for (const Branch& branch : branches_) kept.push_back(branch.process.init);
  const bool told = write(origin_.lifeline.get(), &stay, 1) == 1;
  const bool alone = ThreadsIn(StatusOf(program_)) == 1 && family().StillWaits(origin_call_);
  if (!told || !EndAllBut(init_, kept, alone ? program_ : -1))
    return Fail(ErrorCode::kInternal, "the session's processes could not be ended for a copy; it is ended");
  for (const Branch& branch : branches_) {
    std::string why = WhyNoCopy(
        branch.process, {reaper_.get(), branch.parts.workspace.get(), origin_.scratch.get(), origin_status_});
    if (!family().StillWaits(branch.call)) why = "it does not wait";
    for (const Branch& other : branches_) {
      if (&other != &branch && ShareMemory(branch.process.pid, other.process.pid)) why = "it shares memory";
    }
    if (!why.empty()) {
      return Fail(ErrorCode::kInternal, "a copy of the session was not as it should be; the session is ended",
                  why);
    }
  }
  return {};
}

Expected<std::vector<Parts>> Branching::Release() {
  std::vector<Parts> all;
  for (Branch& branch : branches_) {
    branch.parts.member->pid_namespace = PidNamespaceOf(branch.process.init);
    // What it may have said in the reaper's place.
    int ignored = 0;
    while (read(branch.parts.exit_status.get(), &ignored, sizeof(ignored)) > 0) {
    }
    branch.parts.channels[static_cast<std::size_t>(Channel::kStdin)].reset();
    branch.parts.started_at_us = MonotonicUs();
  }
  for (Branch& branch : branches_) {
    std::vector<int> fds;
    for (const DescriptorMove& move : branch.ends.moves) fds.push_back(move.from);
    if (!HandAll(branch.call, fds, request_))
      return Fail(ErrorCode::kInternal, "a copy of the session could not be let go; it is ended");
  }
  for (Branch& branch : branches_) all.push_back(std::move(branch.parts));
  return all;
}

}  // namespace

Expected<std::vector<Parts>> MakeBranches(Parts& origin, std::string_view ask, int count) {
  Branching branching(origin, count);
  if (auto asked = branching.Ask(ask); !asked) return std::unexpected(asked.error());
  auto made = branching.Prepare();
  if (made) made = branching.Equip();
  if (made) made = branching.Make();
  if (!made) {
    branching.GiveUp(made.error().code == ErrorCode::kUnavailable);
    return std::unexpected(made.error());
  }
  if (auto parted = branching.Part(); !parted) {
    branching.GiveUp(false);
    return std::unexpected(parted.error());
  }
  auto released = branching.Release();
  if (!released) branching.GiveUp(false);
  return released;
}

}  // namespace casemate::container
