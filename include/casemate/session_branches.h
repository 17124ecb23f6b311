#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/session.h"

namespace casemate {

// Copies of a session's interpreter: forks, which go on as sessions of their own, and checkpoints, which
// wait. Each copy is in a sandbox of its own; memory is shared copy-on-write, files are copied. What survives
// it, in the copies and in the session itself, which goes on as one of them:
//
//   variables, imports, functions, environment, what is in files, secrets     everything
//   threads, child processes, open files and sockets, timers                  nothing
//   working folder                                                            /workspace again
//   global generators of random and numpy.random, OpenSSL's                   they begin anew
//   generators that the program made itself                                   everything: all go on alike
//   memory shared by mmap(MAP_SHARED), a writable host folder                 there is no copy; the error
//   says so

struct CheckpointInfo {
  std::string id;
  std::string name;                // the caller's own; need not be unique
  std::int64_t created_at_ms = 0;  // Unix time
  std::int64_t steps = 0;          // that the session had begun by then
};

struct ForkOptions {
  int count = 1;     // of new sessions; 1 to kForksMax
  std::string name;  // of each; "" for the origin's own
};
inline constexpr int kForksMax = 32;
inline constexpr std::size_t kCheckpointsMax = 16;  // of one session

// Of an engine's Sessions. Thread-safe; errors as there.
class SessionBranches {
 public:
  virtual ~SessionBranches() = default;

  // Between steps: sessions that begin where this one is. They end when it would have ended at the latest.
  // kUnavailable when it cannot be copied now (shared memory, too many levels); it goes on then.
  virtual Expected<std::vector<SessionInfo>> Fork(const std::string& id, const ForkOptions& options) = 0;
  // The same, to come back to: a copy that waits as long as the session lives.
  virtual Expected<CheckpointInfo> Checkpoint(const std::string& id, const std::string& name) = 0;
  virtual Expected<std::vector<CheckpointInfo>> Checkpoints(const std::string& id) = 0;
  // The session goes on from there; what came after is lost. The checkpoint stays.
  virtual Expected<SessionInfo> Rewind(const std::string& id, const std::string& checkpoint) = 0;
  virtual Expected<void> DropCheckpoint(const std::string& id, const std::string& checkpoint) = 0;
};

// Of a Sandbox whose session() can have copies.
class BranchControl {
 public:
  virtual ~BranchControl() = default;
  // Between steps: makes `copies` copies of the interpreter, which reads `ask`. This sandbox goes on as one
  // of them, with channels and counters of its own that begin anew; the others are returned. kUnavailable: it
  // cannot be copied, and goes on as it was; after any other error it is being killed.
  virtual Expected<std::vector<std::unique_ptr<Sandbox>>> Fork(std::string_view ask, int copies) = 0;
};

}  // namespace casemate
