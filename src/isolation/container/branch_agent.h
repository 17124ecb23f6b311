#pragma once

#include <sys/types.h>

#include <span>
#include <utility>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "casemate/limits.h"

namespace casemate::container {

// What is done from outside to the namespaces of a branch while its pid 1 waits.
struct BranchOrder {
  pid_t init = -1;  // that pid 1, by its number and its pidfd here
  int init_pidfd = -1;
  int origin_user_namespace = -1;  // in which the branch's own is made
  int origin_scratch = -1;         // whose files are copied
  bool change_ids = true;          // false when the caller's own id is the only one mapped
  bool own_workspace = true;       // false when it is a host folder
  Limits limits;                   // of its files
};

struct BranchFiles {
  UniqueFd scratch;    // root of its own scratch file system
  UniqueFd workspace;  // its /workspace
};

// What EAGAIN of a fork means where the copies of a session are made.
std::unexpected<Error> NoRoomForCopies(const char* call);

// A process that writes the id maps, puts a scratch file system of its own with a copy of the origin's files
// over the old one, and a /proc of its own over the other. Started before there is a branch, so that it is
// ready by then. The destructor ends it, and so does the end of the thread that started it. One thread at a
// time.
class BranchAgent {
 public:
  BranchAgent() = default;
  BranchAgent(BranchAgent&& other) noexcept
      : socket_(std::move(other.socket_)), process_(std::exchange(other.process_, -1)) {}
  BranchAgent& operator=(BranchAgent&&) = delete;
  ~BranchAgent() { (void)End(true); }

  // `tasks` of the branch's cgroups, so that its files are charged there. They are borrowed for the call.
  static Expected<BranchAgent> Start(std::span<const UniqueFd> tasks);
  bool IsReady() const;  // false when something outside has ended it
  Expected<void> Begin(const BranchOrder& order);
  // Blocks until it is done. kUnavailable when the files have become too many or too large meanwhile. What is
  // left of the process then is its own end, which the destructor waits for.
  Expected<BranchFiles> Finish();

 private:
  int End(bool kill);  // its wait status

  UniqueFd socket_;
  pid_t process_ = -1;
};

}  // namespace casemate::container
