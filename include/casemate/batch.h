#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "casemate/engine.h"
#include "casemate/error.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// One program of a batch.
struct BatchItem {
  std::int64_t number = 0;     // the caller's: its place in a list, from 1
  std::string id;              // the caller's, never looked at
  std::string request_sha256;  // likewise
  // What to run; or a result that stands already (a refusal, for instance), and is only passed on.
  std::variant<ExecutionRequest, ExecutionResult> work;
};

// Where the programs come from.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // The next item; nullopt at the end; an Error ends the batch. Called only when a run may begin at once, so
  // that nothing is read ahead; on several threads, never on two at once. A source that can wait for more
  // must return nullopt soon after the batch's `cancel_fd` has become readable.
  virtual Expected<std::optional<BatchItem>> Next() = 0;
};

// Where the results go. An Error of any of these ends the batch: nothing new begins, what runs is cancelled.
class BatchSink {
 public:
  virtual ~BatchSink() = default;

  // `item` is about to run, and does not if this fails. On several threads, also on two at once. Not called
  // for an item whose result stands already.
  virtual Expected<void> OnBegin(const BatchItem& /*item*/) { return {}; }
  // `item` has ended, but its OnResult must wait for items before it (BatchOrder::kAsGiven). Never at the
  // same time as OnResult.
  virtual Expected<void> OnHeld(const BatchItem& /*item*/, const ExecutionResult& /*result*/) { return {}; }
  // One at a time, each item once. As long as it takes, nothing more is held: a slow reader slows the batch.
  virtual Expected<void> OnResult(const BatchItem& item, const ExecutionResult& result) = 0;
};

enum class BatchOrder {
  kAsGiven,     // OnResult in the order of BatchSource::Next
  kAsFinished,  // OnResult as soon as an item has ended
};

struct BatchOptions {
  int jobs = 0;  // programs at one time; 0 means one for each processor that this process may use
  BatchOrder order = BatchOrder::kAsGiven;
  int cancel_fd = -1;  // as that of Engine::Execute, for all of the batch
  // kAsGiven only: no program begins that is this many items, or whose finished successors are this many
  // bytes, ahead of the oldest one that has not ended.
  std::int64_t ahead_max = 1024;
  std::int64_t held_bytes_max = 64 * kMiB;
};

// Sums over the items that have a result.
struct BatchTotals {
  std::int64_t items = 0;
  std::map<Status, std::int64_t> by_status;
  std::int64_t cpu_ms = 0;
  std::int64_t wall_ms = 0;            // of all runs, whether side by side or not
  std::int64_t memory_peak_bytes = 0;  // the largest of any one run
  std::int64_t stdout_bytes = 0;
  std::int64_t stderr_bytes = 0;
  bool cancelled = false;  // by `cancel_fd`: the source may have had more

  void Add(const ExecutionResult& result);
};

// Runs all that `source` gives through `engine`, `options.jobs` at a time, on threads of its own, and returns
// when every item that has begun has its result in `sink`. Memory is bounded by jobs, ahead_max and
// held_bytes_max, whatever the number of items. Cancelled: nothing new begins, what runs is cancelled and has
// its result. Errors: those of `source` and `sink`; kInvalidRequest for options out of range.
Expected<BatchTotals> RunBatch(Engine& engine, BatchSource& source, BatchSink& sink,
                               const BatchOptions& options);

// The largest BatchOptions::jobs.
inline constexpr int kBatchJobsMax = 1024;

}  // namespace casemate
