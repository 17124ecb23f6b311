#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/event.h"
#include "casemate/policy.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// A session is one interpreter in one sandbox, whose variables, imports, functions, open files, working
// folder and workspace stay from step to step. What survives what:
//
//   a step raises, or calls sys.exit()      everything
//   its result is not JSON or too large     everything
//   time, CPU time or output is used up     everything, when the step ends within the grace period of the
//                                           KeyboardInterrupt that it gets; otherwise the session ends
//   it is interrupted, its caller hangs up  the same
//   MemoryError                             everything
//   killed for memory                       everything, when it was a child process; nothing, when it was the
//                                           interpreter
//   os._exit(), a fatal signal              nothing
//   its lifetime or idle time is over       nothing
//   the engine ends, by whatever means      nothing
//
// Between steps its threads and processes go on, under the session's limits; what they print is part of the
// next step's output. All steps of a session are one program: code of one step can change what another one
// says of itself. Status, usage, denials and redaction come from outside and stay true.

enum class SessionState {
  kIdle,
  kRunning,
  kEnded,  // the interpreter is gone; `ended_because` says why
};
std::string_view SessionStateName(SessionState state);  // "idle", "running", "ended"

struct SessionOptions {
  // All but a program: policy, limits, environment, variables, secrets, files, workspace, redaction. The
  // limits of memory, processes and disk hold for the whole session, those of time, output and result for
  // each step, unless the step has its own.
  ExecutionRequest base;
  std::string name;                        // the caller's own; need not be unique
  std::int64_t idle_timeout_ms = 600'000;  // from the end of a step to the end of the session; at least 1
  std::int64_t lifetime_ms = 3'600'000;    // from its opening, whatever it does; at least 1
};

struct SessionInfo {
  std::string id;
  std::string name;
  std::string caller;  // who has opened it, as its surface says
  SessionState state = SessionState::kIdle;
  std::string ended_because;
  std::string parent;              // the session that it was forked from; empty for none
  std::int64_t created_at_ms = 0;  // Unix time, as all of these
  std::int64_t last_used_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // by its lifetime or by being idle, whichever comes first
  std::int64_t steps = 0;          // that have begun
  std::string policy;
  std::string environment;
  EnforcementReport isolation;
};

// What is asked of a session's workspace. Paths are relative to it; nothing outside it is ever reached, by
// whatever links or renames (openat2(2), RESOLVE_BENEATH).
struct FileRequest {
  enum class Kind { kPut, kGet, kList, kStat, kMove, kRemove };
  Kind kind = Kind::kStat;
  std::string path;                   // "" for the workspace itself (kList, kStat)
  std::string to;                     // of kMove; what is there is replaced unless it is a folder
  std::string_view bytes;             // of kPut; missing folders are made
  std::int64_t bytes_max = 64 << 20;  // of kGet; a larger file is kInvalidRequest
};

struct FileInfo {
  std::string name;  // relative to the folder that was listed, or as asked
  enum class Kind { kFile, kFolder, kLink, kOther } kind = Kind::kFile;
  std::int64_t size_bytes = 0;
  std::int64_t modified_at_ms = 0;  // Unix time
};
std::string_view FileKindName(FileInfo::Kind kind);  // "file", "folder", "link", "other"

struct FileAnswer {
  std::string bytes;              // kGet
  std::vector<FileInfo> entries;  // kList, by name; kStat: one
};

// The sessions of an engine that stays. Thread-safe. Errors: kNotFound for an id that there is not (also
// after the engine's restart) and for a file; kUnavailable for a session that has ended, is busy, or cannot
// be.
class Sessions {
 public:
  virtual ~Sessions() = default;

  // Starts one; blocks until its interpreter is ready. The intent is recorded first, the end at its end.
  virtual Expected<SessionInfo> Open(const SessionOptions& options) = 0;

  // Runs one step, as Engine::Execute runs a program. `request` has code, and may have input, schemas, limits
  // of a step, checks, redact; all else is the session's. An error: there was no step. One step at a time.
  virtual Expected<ExecutionResult> Run(const std::string& id, const ExecutionRequest& request,
                                        EventSink* sink, int cancel_fd, bool cancel_on_hang_up) = 0;

  // KeyboardInterrupt in the step that runs; one that does not end within the grace period ends the session.
  // Returns at once; nothing happens when no step runs.
  virtual Expected<void> Interrupt(const std::string& id) = 0;

  virtual std::vector<SessionInfo> List() = 0;
  virtual Expected<SessionInfo> Get(const std::string& id) = 0;
  // Of all that Get() tells, who has opened it: asked for each step, of which the rest would be a good part.
  virtual Expected<std::string> CallerOf(const std::string& id) {
    auto info = Get(id);
    if (!info) return std::unexpected(std::move(info.error()));
    return std::move(info->caller);
  }
  // Ends it, a step that runs included, and forgets it.
  virtual Expected<void> Close(const std::string& id) = 0;

  virtual Expected<FileAnswer> Files(const std::string& id, const FileRequest& request) = 0;
};

// How long a step that was interrupted may take to end before its session is ended.
inline constexpr std::int64_t kInterruptGraceMs = 2000;

}  // namespace casemate
