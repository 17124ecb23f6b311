// Theory of operation: one thread, the keeper, and one poll(2) loop.
//
//   zygote:   started when there is none; its death ends what it had in stock, and the next one is started
//   births:   a few at a time: an order is sent, and the cell's launch socket is read until its end
//   stock:    cells that wait. Takers that found none stand in a queue and are served first
//   burials:  what is left of cells that were used, and killed: when the pidfd says that all is gone, the
//             slot (cell_slot.h) goes back to its stock
//
// Takers and owners of running cells touch only `stock_`, `takers_` and `graves_`, under the mutex, and wake
// the keeper through an eventfd.
#include "isolation/container/zygote_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "confine/syscalls.h"
#include "isolation/container/branch_stock.h"
#include "isolation/container/cell_birth.h"
#include "isolation/container/cell_order.h"
#include "isolation/container/cell_states.h"
#include "isolation/container/launcher.h"
#include "isolation/container/session_program.h"
#include "isolation/container/zygote_start.h"

namespace casemate::container {
namespace {

constexpr int kBirthsMax = 3;
constexpr std::int64_t kBirthTimeoutMs = 10'000;
constexpr std::int64_t kRestartDelayMs = 1000;
constexpr std::int64_t kBurialRetryMs = 5;
// A run that ends has an answer to give before its cell is buried and replaced.
constexpr std::int64_t kTidyDelayUs = 500;
constexpr std::int64_t kKitsDelayUs = 5'000;
// For the cgroups of cells that died with their zygote.
constexpr std::int64_t kRemovalPatienceMs = 2000;
constexpr int kFailuresMax = 3;
constexpr std::int64_t kBirthRetryMs = 100;
constexpr std::int64_t kLookMs = 1000;  // at the host's memory and the zygote's files
constexpr const char* kBeingReplaced = "this pool of warm cells is being replaced";

bool IsReadable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace

class ZygoteHost::Impl : public std::enable_shared_from_this<ZygoteHost::Impl> {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)),
        kits_(std::make_shared<BranchStock>(options_.host.cgroups)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        later_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {}

  void Start() {
    keeper_ = std::thread([this] { Keep(); });
  }

  // True when the keeper has ended.
  bool Stop() {
    bool done = false;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      done = done_;
    }
    Wake();
    return done;
  }
  void Join() { keeper_.join(); }
  bool IsStale() const {
    const std::lock_guard lock(mutex_);
    return stale_;
  }

  Expected<Taken> Take(std::int64_t patience_ms, bool session);
  Status status() const;

 private:
  void Wake() const { (void)!eventfd_write(wake_.get(), 1); }
  void WakeLater() const {
    constexpr itimerspec kSoon{{0, 0}, {0, kTidyDelayUs * 1000}};
    timerfd_settime(later_.get(), 0, &kSoon, nullptr);
  }
  // For the next branches; not while a session's first step is likely to come. The mutex is held.
  void WantKits() {
    kits_at_us_ = MonotonicUs() + kKitsDelayUs;
    WakeLater();
  }
  // Whether the keeper has something to do while programs run. The mutex is held.
  bool StockIsLow() const {
    return !takers_.empty() || static_cast<int>(stock_.size()) < std::max(1, options_.cells_max / 4);
  }
  std::unique_ptr<ContainerSandbox> Dress(std::unique_ptr<Cell> cell, bool session);
  ContainerSandbox::Burial BurialOf(const std::shared_ptr<CellSlot>& slot, bool session);
  ContainerSandbox::Burial Adopt(const std::shared_ptr<CellSlot>& slot);
  void CountTaken(bool session);
  void Bury(ContainerSandbox::Parts&& parts, std::shared_ptr<CellSlot> slot, bool session);

  // The keeper's.
  void Keep();
  void StartZygote();
  void EndZygote();
  void LoseZygote(std::string why);
  void StartBirths();
  void FailBirth(const Error& error);
  Expected<std::unique_ptr<Cell>> Order();
  void Watch(bool wanted);
  void MindHost();
  void DropStock();
  void Discard(Cell&& cell);
  bool Sort();
  bool Idle() const;
  bool Stopping() const;
  bool Attend(Cell& birth);
  bool Attend(Grave& grave);
  void Deliver(std::unique_ptr<Cell> cell);
  void FailTakers(const Error& error);
  int Missing() const;
  bool IsAwaited() const;
  bool IsRunning() const;
  void FillKits();

  const Options options_;
  const std::shared_ptr<BranchStock> kits_;
  UniqueFd wake_;
  UniqueFd later_;
  std::thread keeper_;

  mutable std::mutex mutex_;
  bool stopping_ = false;
  bool done_ = false;
  bool stale_ = false;
  bool serving_ = false;  // there is a zygote that can fork
  std::int64_t asked_at_us_ = MonotonicUs();
  std::deque<std::unique_ptr<Cell>> stock_;
  std::deque<Taker*> takers_;
  std::vector<Grave> graves_;
  Status status_;
  int sessions_ = 0;             // of those that run
  std::int64_t kits_at_us_ = 0;  // when to fill their stock; 0 for not at all

  std::optional<RunningZygote> zygote_;
  std::int64_t restart_at_us_ = 0;
  std::vector<std::unique_ptr<Cell>> births_;
  std::vector<Grave> burials_;
  std::int64_t zygotes_ = 0;  // so many have been started
  std::optional<SlotStock> slots_;
  int failures_ = 0;  // births without one that went well in between
  std::int64_t births_at_us_ = 0;
  bool memory_short_ = false;
  std::int64_t look_at_us_ = 0;
};

// ---- Any thread. ----

void ZygoteHost::Impl::CountTaken(bool session) {
  ++status_.taken;
  ++status_.running;
  if (!session) return;
  ++sessions_;
  WantKits();
}

Expected<ZygoteHost::Taken> ZygoteHost::Impl::Take(std::int64_t patience_ms, bool session) {
  std::unique_lock lock(mutex_);
  if (stopping_ || stale_) return Fail(ErrorCode::kUnavailable, kBeingReplaced);
  asked_at_us_ = MonotonicUs();
  while (!stock_.empty()) {
    std::unique_ptr<Cell> cell = std::move(stock_.front());
    stock_.pop_front();
    // Something outside may have ended it while it waited.
    if (IsReadable(cell->parts.pidfd.get())) {
      graves_.push_back({std::move(cell->parts), std::move(cell->slot), false, false, MonotonicUs()});
      continue;
    }
    CountTaken(session);
    const bool low = StockIsLow();
    lock.unlock();
    if (low) Wake();
    return Taken{Dress(std::move(cell), session), false, !low};
  }
  Wake();
  // A start takes as long as its imports, and a cold run no longer than that.
  if (!serving_) return Fail(ErrorCode::kUnavailable, "the zygote is being started");
  Taker taker;
  takers_.push_back(&taker);
  ++status_.forked_on_demand;
  const bool served = taker.served.wait_for(lock, std::chrono::milliseconds(patience_ms),
                                            [&taker] { return taker.cell != nullptr || taker.error; });
  if (!served) {
    std::erase(takers_, &taker);
    return Fail(ErrorCode::kUnavailable, "no warm cell came free in time");
  }
  if (taker.error) return std::unexpected(*taker.error);
  CountTaken(session);
  lock.unlock();
  return Taken{Dress(std::move(taker.cell), session), true, false};
}

std::unique_ptr<ContainerSandbox> ZygoteHost::Impl::Dress(std::unique_ptr<Cell> cell, bool session) {
  auto sandbox = std::make_unique<ContainerSandbox>();
  sandbox->parts() = std::move(cell->parts);
  sandbox->parts().slot = cell->slot;
  sandbox->BecomeWarm(BurialOf(cell->slot, session));
  if (session) {
    sandbox->parts().kin = std::make_shared<const ContainerSandbox::Kin>(ContainerSandbox::Kin{
        options_.host.cgroups.complete(), kits_, [weak = weak_from_this()](ContainerSandbox::Parts&& parts) {
          auto branch = std::make_unique<ContainerSandbox>();
          const std::shared_ptr<CellSlot> slot = parts.slot;
          branch->parts() = std::move(parts);
          // The line it is of keeps the pool.
          if (const auto self = weak.lock()) branch->BecomeWarm(self->Adopt(slot));
          return branch;
        }});
  }
  return sandbox;
}

ContainerSandbox::Burial ZygoteHost::Impl::BurialOf(const std::shared_ptr<CellSlot>& slot, bool session) {
  return [self = shared_from_this(), slot, session](ContainerSandbox::Parts&& parts) {
    self->Bury(std::move(parts), slot, session);
  };
}

// A branch of a session, made from it and not from the zygote.
ContainerSandbox::Burial ZygoteHost::Impl::Adopt(const std::shared_ptr<CellSlot>& slot) {
  {
    const std::lock_guard lock(mutex_);
    ++status_.running;
    ++sessions_;
    WantKits();
  }
  return BurialOf(slot, true);
}

void ZygoteHost::Impl::Bury(ContainerSandbox::Parts&& parts, std::shared_ptr<CellSlot> slot, bool session) {
  const std::lock_guard lock(mutex_);
  --status_.running;
  if (session) --sessions_;
  graves_.push_back({std::move(parts), std::move(slot), false, false, MonotonicUs()});
  if (StockIsLow() || stopping_) {
    Wake();
  } else {
    WakeLater();
  }
}

ZygoteHost::Status ZygoteHost::Impl::status() const {
  const std::lock_guard lock(mutex_);
  Status status = status_;
  status.waiting = static_cast<int>(stock_.size());
  return status;
}

// ---- The keeper. ----

bool ZygoteHost::Impl::IsAwaited() const {
  const std::lock_guard lock(mutex_);
  return !takers_.empty() || (stock_.empty() && status_.running > 0);
}

bool ZygoteHost::Impl::IsRunning() const {
  const std::lock_guard lock(mutex_);
  return status_.running > 0;
}

void ZygoteHost::Impl::FillKits() {
  {
    const std::lock_guard lock(mutex_);
    if (kits_at_us_ == 0 || MonotonicUs() < kits_at_us_) return;
    kits_at_us_ = 0;
  }
  kits_->Fill(BranchStock::kKits);
}

// How many births to have now. A program that runs is not to feel them, so while one does they wait until the
// stock is low; a session mostly waits itself.
int ZygoteHost::Impl::Missing() const {
  const std::lock_guard lock(mutex_);
  if (!StockIsLow() && (status_.running > sessions_ || !births_.empty())) return 0;
  const int wanted = memory_short_ ? 0 : options_.cells_max;
  return wanted + static_cast<int>(takers_.size()) - static_cast<int>(stock_.size() + births_.size());
}

bool ZygoteHost::Impl::Idle() const {
  const std::lock_guard lock(mutex_);
  return takers_.empty() && status_.running == 0 &&
         MonotonicUs() - asked_at_us_ > options_.idle_expiry_ms * 1000;
}

// Cells that wait are the first to go when the host runs short; running ones are others' business.
void ZygoteHost::Impl::MindHost() {
  const std::int64_t now = MonotonicUs();
  if (now < look_at_us_) return;
  look_at_us_ = now + kLookMs * 1000;
  memory_short_ = options_.memory_is_short();
  const bool changed = zygote_ && zygote_->files.HaveChanged();
  if (memory_short_ || changed) DropStock();
  if (!changed) return;
  FailTakers({ErrorCode::kUnavailable, kBeingReplaced, ""});
  const std::lock_guard lock(mutex_);
  stale_ = true;
}

void ZygoteHost::Impl::DropStock() {
  const std::lock_guard lock(mutex_);
  for (auto& cell : std::exchange(stock_, {})) Discard(std::move(*cell));
}

void ZygoteHost::Impl::Discard(Cell&& cell) {
  if (cell.parts.pidfd.valid()) PidfdSendSignal(cell.parts.pidfd.get(), SIGKILL);
  burials_.push_back({std::move(cell.parts), std::move(cell.slot), false, false, MonotonicUs()});
}

// False when there is nothing left to keep.
bool ZygoteHost::Impl::Sort() {
  const std::lock_guard lock(mutex_);
  std::ranges::move(graves_, std::back_inserter(burials_));
  graves_.clear();
  return !stopping_ || status_.running > 0;
}

void ZygoteHost::Impl::Keep() {
  while (Sort()) {
    const bool idle = Idle();
    if (idle && zygote_) EndZygote();
    const bool wanted = !idle && !Stopping() && !IsStale();
    if (Stopping()) DropStock();
    if (wanted) MindHost();
    if (wanted && !zygote_ && MonotonicUs() >= restart_at_us_) StartZygote();
    if (wanted && zygote_) StartBirths();
    if (!wanted) kits_->Drop();
    if (wanted) FillKits();
    Watch(wanted);
  }
  FailTakers({ErrorCode::kUnavailable, kBeingReplaced, ""});
  kits_->Drop();
  EndZygote();
  const std::lock_guard lock(mutex_);
  done_ = true;
}

bool ZygoteHost::Impl::Stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

// The zygote's death is that of its cells; their cgroups are empty then.
void ZygoteHost::Impl::EndZygote() {
  zygote_.reset();
  std::deque<std::unique_ptr<Cell>> dead;
  {
    const std::lock_guard lock(mutex_);
    serving_ = false;
    dead = std::exchange(stock_, {});
  }
  std::ranges::move(births_, std::back_inserter(dead));
  births_.clear();
  for (const auto& cell : dead) {
    if (cell && cell->parts.cgroup) cell->parts.cgroup->Remove(kRemovalPatienceMs);
  }
  for (Grave& grave : std::exchange(burials_, {})) {
    if (grave.parts.cgroup) grave.parts.cgroup->Remove(kRemovalPatienceMs);
  }
  // Their user namespaces are below the dead zygote's.
  slots_.reset();
}

void ZygoteHost::Impl::StartZygote() {
  auto started =
      StartRunningZygote(options_.host, options_.environment, options_.root_files, options_.preload);
  if (!started) {
    restart_at_us_ = MonotonicUs() + kRestartDelayMs * 1000;
    {
      const std::lock_guard lock(mutex_);
      status_.error = started.error().ToString();
      ++status_.failed_starts;
    }
    FailTakers(started.error());
    return;
  }
  zygote_ = *std::move(started);
  const ContainerSandbox::Parts& parts = zygote_->sandbox->parts();
  slots_.emplace(SlotStock::Options{options_.host.cgroups, ++zygotes_, parts.user_namespace.get(),
                                    zygote_->single_id, parts.ids.base() + kIdsPerSandbox,
                                    kZygoteIdPairs - 1});
  failures_ = 0;
  const std::lock_guard lock(mutex_);
  serving_ = true;
  status_.error.clear();
  status_.failed_starts = 0;
  status_.modules = zygote_->modules;
}

// Its cells have died with it; those that run have told their owners.
void ZygoteHost::Impl::LoseZygote(std::string why) {
  EndZygote();
  FailTakers({ErrorCode::kUnavailable, why, ""});
  restart_at_us_ = MonotonicUs() + (failures_ > 0 ? kRestartDelayMs * 1000 : 0);
  const std::lock_guard lock(mutex_);
  status_.error = std::move(why);
}

void ZygoteHost::Impl::FailTakers(const Error& error) {
  const std::lock_guard lock(mutex_);
  for (Taker* taker : takers_) {
    taker->error = error;
    taker->served.notify_one();
  }
  takers_.clear();
}

void ZygoteHost::Impl::StartBirths() {
  while (zygote_ && MonotonicUs() >= births_at_us_ && static_cast<int>(births_.size()) < kBirthsMax &&
         (slots_->has_whole() || !SlotsComeBack(burials_)) && Missing() > 0) {
    auto birth = Order();
    if (birth) {
      births_.push_back(*std::move(birth));
      continue;
    }
    FailBirth(birth.error());
    return;
  }
}

// The fault may be the zygote's, and another one may do better; but never at the cost of a cell that runs.
void ZygoteHost::Impl::FailBirth(const Error& error) {
  FailTakers(error);
  births_at_us_ = MonotonicUs() + kBirthRetryMs * 1000;
  if (++failures_ >= kFailuresMax && !IsRunning()) LoseZygote(error.ToString());
}

Expected<std::unique_ptr<Cell>> ZygoteHost::Impl::Order() {
  auto slot = slots_->Take();
  if (!slot) return std::unexpected(slot.error());
  auto cell = std::make_unique<Cell>();
  cell->step_us = MonotonicUs();
  cell->slot = *slot;
  auto ends = MakeChannels({true, true, kBirthTimeoutMs}, cell->parts);
  auto sent = ends ? SendOrder(zygote_->control->get(), *ends, cell->slot->spaces, cell->slot->entrances,
                               !IsAwaited())
                   : Expected<void>(std::unexpected(ends.error()));
  if (!sent) {
    slots_->PutBack(*slot, false, true);
    return std::unexpected(sent.error());
  }
  cell->socket = std::move(ends->ours);
  cell->deadline = Deadline::After(kBirthTimeoutMs);
  cell->parts.limits = *cell->slot->limits;
  cell->parts.zygote_control = zygote_->control;
  cell->parts.change_ids = !zygote_->single_id;
  cell->parts.ids = IdLease(UniqueFd(), cell->slot->host_ids);
  cell->parts.user_namespace.reset(fcntl(cell->slot->spaces.user.get(), F_DUPFD_CLOEXEC, 0));
  cell->parts.cgroup = std::exchange(cell->slot->cgroup, std::nullopt);
  return cell;
}

bool ZygoteHost::Impl::Attend(Cell& birth) {
  std::string error;
  const bool over = AttendBirth(birth, options_.host.cgroups.complete(), error);
  if (error.empty()) return over;
  const std::lock_guard lock(mutex_);
  status_.error = std::move(error);
  return over;
}

bool ZygoteHost::Impl::Attend(Grave& grave) {
  if (!grave.gone) {
    grave.gone = !grave.parts.pidfd.valid() || IsReadable(grave.parts.pidfd.get());
    if (!grave.gone) return false;
    grave.network_touched = !grave.parts.listener || grave.parts.listener->met_network();
    std::optional<Cgroup> cgroup = std::move(grave.parts.cgroup);
    grave.parts = {};  // closes every descriptor: the last references to its mounts
    grave.slot->cgroup = std::move(cgroup);
  }
  const bool give_up = MonotonicUs() - grave.since_us > kBurialPatienceMs * 1000;
  // A run can outlive the keeper's knowledge of its zygote.
  if (!slots_ || grave.slot->zygote != zygotes_) {
    return !grave.slot->cgroup || grave.slot->cgroup->Remove(0) || give_up;
  }
  return slots_->PutBack(grave.slot, grave.network_touched, give_up);
}

void ZygoteHost::Impl::Deliver(std::unique_ptr<Cell> cell) {
  ContainerSandbox::Parts& parts = cell->parts;
  const bool whole =
      parts.pidfd.valid() && parts.scratch.valid() && parts.workspace.valid() && parts.listener;
  if (!whole) {
    Error error{ErrorCode::kInternal, "a warm cell could not be made", ""};
    {
      const std::lock_guard lock(mutex_);
      if (!status_.error.empty()) error.cause = status_.error;
    }
    Discard(std::move(*cell));
    FailBirth(error);
    return;
  }
  failures_ = 0;
  cell->socket.reset();
  const std::lock_guard lock(mutex_);
  if (takers_.empty()) {
    stock_.push_back(std::move(cell));
    return;
  }
  Taker* const first = takers_.front();
  takers_.pop_front();
  first->cell = std::move(cell);
  first->served.notify_one();
}

void ZygoteHost::Impl::Watch(bool wanted) {
  std::vector<pollfd> entries;
  entries.push_back({wake_.get(), POLLIN, 0});
  entries.push_back({later_.get(), POLLIN, 0});
  entries.push_back({zygote_ ? zygote_->sandbox->exit_fd() : -1, POLLIN, 0});
  for (const auto& birth : births_) entries.push_back({birth->socket.get(), POLLIN, 0});
  bool retry = false;
  for (const Grave& grave : burials_) {
    entries.push_back({grave.gone ? -1 : grave.parts.pidfd.get(), POLLIN, 0});
    retry = retry || grave.gone || !grave.parts.pidfd.valid();
  }
  // Otherwise once a second, for the host's memory and for the pool's own end.
  std::int64_t wait_ms = kLookMs;
  if (!births_.empty()) wait_ms = std::min(wait_ms, births_.front()->deadline.RemainingMs());
  if (failures_ > 0 && wanted) wait_ms = std::min(wait_ms, kBirthRetryMs);
  if (!zygote_ && wanted) wait_ms = std::min(wait_ms, (restart_at_us_ - MonotonicUs()) / 1000 + 1);
  if (retry) wait_ms = std::min(wait_ms, kBurialRetryMs);
  {
    const std::lock_guard lock(mutex_);
    if (wanted && kits_at_us_ != 0) wait_ms = std::min(wait_ms, (kits_at_us_ - MonotonicUs()) / 1000 + 1);
  }
  if (poll(entries.data(), entries.size(), static_cast<int>(std::max<std::int64_t>(0, wait_ms))) < 0) return;

  for (const UniqueFd* fd : {&wake_, &later_}) {
    eventfd_t ignored = 0;  // a timer's count is like an event's
    (void)!eventfd_read(fd->get(), &ignored);
  }
  const std::size_t births = births_.size();
  for (std::size_t i = 0; i < births; ++i) {
    const bool late = births_[i]->deadline.Passed();
    if (entries[3 + i].revents == 0 && !late) continue;
    if (!late && !Attend(*births_[i])) continue;
    if (late) births_[i]->parts.listener.reset();  // not whole, whatever it has
    std::unique_ptr<Cell> cell = std::move(births_[i]);
    Deliver(std::move(cell));
    if (births_.empty()) break;  // the zygote was given up
  }
  std::erase(births_, nullptr);
  std::erase_if(burials_, [this](Grave& grave) { return Attend(grave); });
  if (entries[2].revents != 0) LoseZygote("the zygote has died");
}

// ---- The interface. ----

ZygoteHost::ZygoteHost(Options options) : impl_(std::make_shared<Impl>(std::move(options))) {
  impl_->Start();
}
ZygoteHost::~ZygoteHost() {
  impl_->Stop();
  impl_->Join();
}
bool ZygoteHost::Retire() { return impl_->Stop(); }
bool ZygoteHost::IsStale() const { return impl_->IsStale(); }
Expected<ZygoteHost::Taken> ZygoteHost::Take(std::int64_t patience_ms, bool session) {
  return impl_->Take(patience_ms, session);
}
ZygoteHost::Status ZygoteHost::status() const { return impl_->status(); }

}  // namespace casemate::container
