#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "casemate/audit.h"
#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "casemate/secret_store.h"
#include "casemate/session.h"
#include "casemate/warm.h"

namespace casemate {

// What on a run's cancel_fd ends it.
enum class CancelWhen {
  kReadable,  // it becomes readable (an eventfd, a pipe)
  kHungUp,    // its other end closes, or stops sending (a connection, whose later bytes do not matter)
};

// Runs programs that nobody has read. Execute() may be called from several threads at once.
class Engine {
 public:
  virtual ~Engine() = default;

  // Runs `request` to its end and returns what came of it. Never throws and has no error return: a
  // refusal (`rejected`, `unavailable`) and our own failure (`failed`) are results too, so that each
  // caller handles one type. `sink` (may be null) sees the run as it happens. `cancel_fd` (or -1) ends the
  // run with kCancelled, as `cancel_when` says; it is not read from and not closed.
  virtual ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink = nullptr,
                                  int cancel_fd = -1, CancelWhen cancel_when = CancelWhen::kReadable) = 0;

  // What is warm at this moment; empty for an engine that keeps nothing warm. Any thread.
  virtual std::vector<PoolStatus> Pools() const { return {}; }

  // Null for an engine that does not stay. Valid as long as the engine.
  virtual Sessions* sessions() { return nullptr; }
};

// Where the engine keeps what it learns of the host, and what it may use of it.
struct EngineOptions {
  std::string state_dir;  // "" means $CASEMATE_STATE_DIR or the XDG state folder
  std::string python;     // the host interpreter; "" means $CASEMATE_PYTHON or python3 in PATH
  WarmOptions warm;
  SyncPolicy audit_sync = SyncPolicy::kWritten;  // of the audit log, in state_dir/audit
  SecretOptions secrets;
  // What no run can tell, as a sentence: the audit log cannot be kept within its bounds. Any thread; may be
  // empty.
  std::function<void(const std::string&)> tell;
};

Expected<std::unique_ptr<Engine>> MakeEngine(const EngineOptions& options);

}  // namespace casemate
