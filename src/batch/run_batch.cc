#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/errno.h"
#include "base/unique_fd.h"
#include "casemate/batch.h"

// caller's thread   waits for cancel_fd or for the last worker; cancels through an eventfd of ours, which is
//                   also how a failed sink ends what runs
// each worker       claim (one at a time: source.Next) -> sink.OnBegin -> engine.Execute -> deliver
//
// source_mutex_ is held while the source is read, so that a source which waits holds up nobody's delivery;
// mutex_ guards all else and is held while the sink takes results. source_mutex_ is always taken first.

namespace casemate {
namespace {

int ProcessorCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

std::int64_t BytesOf(const ExecutionResult& result) {
  std::size_t bytes = sizeof result + result.stdout_text.size() + result.stderr_text.size();
  if (result.result) bytes += result.result->text().size();
  for (const Display& display : result.displays) {
    for (const auto& [mime, data] : display.data) bytes += mime.size() + data.size();
  }
  for (const OutputFile& file : result.files) bytes += file.name.size() + file.bytes.size();
  return static_cast<std::int64_t>(bytes);
}

class Batch {
 public:
  Batch(Engine& engine, BatchSource& source, BatchSink& sink, const BatchOptions& options)
      : engine_(engine), source_(source), sink_(sink), options_(options) {}

  Expected<BatchTotals> Run() {
    cancel_runs_.reset(::eventfd(0, EFD_CLOEXEC));
    last_worker_.reset(::eventfd(0, EFD_CLOEXEC));
    if (!cancel_runs_.valid() || !last_worker_.valid()) {
      return FailErrno(ErrorCode::kInternal, "the batch cannot start: raise the limit of open files",
                       "eventfd");
    }
    std::vector<std::thread> workers = StartWorkers();
    if (workers.empty()) {
      return Fail(ErrorCode::kInternal, "the batch cannot start: the system gives no more threads");
    }
    WatchForCancel();
    for (std::thread& worker : workers) worker.join();
    if (error_) return std::unexpected(*std::move(error_));
    return totals_;
  }

 private:
  struct Claimed {
    std::int64_t index;  // in the order of the source
    BatchItem item;
  };
  struct Held {
    BatchItem item;
    ExecutionResult result;
    std::int64_t bytes;
  };

  std::vector<std::thread> StartWorkers() {
    const int wanted = options_.jobs == 0 ? ProcessorCount() : options_.jobs;
    std::vector<std::thread> workers;
    // Signals are for the caller's thread: it is the one whose calls they must interrupt.
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former);
    const std::lock_guard lock(mutex_);  // none may be the last before all are counted
    // Fewer will do where the system has no more threads.
    while (static_cast<int>(workers.size()) < wanted && StartOne(workers)) {
    }
    working_ = workers.size();
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
    return workers;
  }

  bool StartOne(std::vector<std::thread>& workers) {
    try {
      workers.emplace_back([this] { Work(); });
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void WatchForCancel() {
    std::array<pollfd, 2> fds{pollfd{last_worker_.get(), POLLIN, 0}, pollfd{options_.cancel_fd, POLLIN, 0}};
    while (fds[0].revents == 0) {
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[1].revents == 0) continue;
      fds[1].fd = -1;
      const std::lock_guard lock(mutex_);
      totals_.cancelled = true;
      Stop();
    }
  }

  void Work() {
    while (std::optional<Claimed> claimed = Claim()) {
      BatchItem& item = claimed->item;
      if (auto* result = std::get_if<ExecutionResult>(&item.work)) {
        ExecutionResult standing = std::move(*result);
        Deliver(*std::move(claimed), std::move(standing));
        continue;
      }
      if (auto begun = sink_.OnBegin(item); !begun) {
        const std::lock_guard lock(mutex_);
        EndWith(std::move(begun.error()));
        break;
      }
      ExecutionResult result =
          engine_.Execute(std::get<ExecutionRequest>(item.work), nullptr, cancel_runs_.get());
      // The request may hold many bytes that nobody asks for any more.
      item.work = ExecutionRequest{};
      Deliver(*std::move(claimed), std::move(result));
    }
    const std::lock_guard lock(mutex_);
    if (--working_ == 0) Signal(last_worker_);
  }

  // The next item, once it may begin; nullopt when there is none or the batch ends.
  std::optional<Claimed> Claim() {
    const std::lock_guard reading(source_mutex_);
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || MayBeginAnother(); });
      if (stopped_) return std::nullopt;
    }
    auto item = source_.Next();
    const std::lock_guard lock(mutex_);
    if (!item) {
      EndWith(std::move(item.error()));
      return std::nullopt;
    }
    if (!*item) StopClaiming();
    if (stopped_) return std::nullopt;
    return Claimed{claimed_++, **std::move(item)};
  }

  bool MayBeginAnother() const {
    if (options_.order == BatchOrder::kAsFinished) return true;
    return claimed_ - delivered_ < options_.ahead_max && held_bytes_ < options_.held_bytes_max;
  }

  void Deliver(Claimed claimed, ExecutionResult result) {
    const std::lock_guard lock(mutex_);
    if (error_) return;
    totals_.Add(result);
    if (options_.order == BatchOrder::kAsFinished || claimed.index == delivered_) {
      Check(sink_.OnResult(claimed.item, result));
      ++delivered_;
    } else {
      Check(sink_.OnHeld(claimed.item, result));
      const std::int64_t bytes = BytesOf(result);
      held_bytes_ += bytes;
      held_.emplace(claimed.index, Held{std::move(claimed.item), std::move(result), bytes});
    }
    while (!error_ && !held_.empty() && held_.begin()->first == delivered_) {
      const Held held = std::move(held_.extract(held_.begin()).mapped());
      Check(sink_.OnResult(held.item, held.result));
      held_bytes_ -= held.bytes;
      ++delivered_;
    }
    changed_.notify_all();
  }

  // The following need mutex_.
  void Check(Expected<void> done) {
    if (!done) EndWith(std::move(done.error()));
  }
  void EndWith(Error error) {
    if (!error_) error_ = std::move(error);
    Stop();
  }
  void Stop() {
    StopClaiming();
    Signal(cancel_runs_);
  }
  void StopClaiming() {
    stopped_ = true;
    changed_.notify_all();
  }
  static void Signal(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    (void)!::write(fd.get(), &one, sizeof one);
  }

  Engine& engine_;
  BatchSource& source_;
  BatchSink& sink_;
  const BatchOptions& options_;
  UniqueFd cancel_runs_;
  UniqueFd last_worker_;

  std::mutex source_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t working_ = 0;
  bool stopped_ = false;
  std::int64_t claimed_ = 0;
  std::int64_t delivered_ = 0;
  std::map<std::int64_t, Held> held_;
  std::int64_t held_bytes_ = 0;
  BatchTotals totals_;
  std::optional<Error> error_;
};

}  // namespace

void BatchTotals::Add(const ExecutionResult& result) {
  ++items;
  ++by_status[result.status];
  cpu_ms += result.usage.cpu_ms;
  wall_ms += result.usage.wall_ms;
  memory_peak_bytes = std::max(memory_peak_bytes, result.usage.memory_peak_bytes);
  stdout_bytes += result.usage.stdout_bytes;
  stderr_bytes += result.usage.stderr_bytes;
}

Expected<BatchTotals> RunBatch(Engine& engine, BatchSource& source, BatchSink& sink,
                               const BatchOptions& options) {
  if (options.jobs < 0 || options.jobs > kBatchJobsMax) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("{} jobs cannot be: choose 1 to {}, or 0 for one a processor", options.jobs,
                            kBatchJobsMax));
  }
  if (options.ahead_max < 1 || options.held_bytes_max < 1) {
    return Fail(ErrorCode::kInvalidRequest, "ahead_max and held_bytes_max must be at least 1");
  }
  return Batch(engine, source, sink, options).Run();
}

}  // namespace casemate
