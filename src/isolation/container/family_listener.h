#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "confine/seccomp_notify.h"

namespace casemate::container {

// One of the sandboxes that share a filter, and so its one listener (seccomp(2): a second one is refused).
struct FamilyMember {
  std::uint64_t pid_namespace = 0;  // inode; says whose a call is
  SeccompListener answers;          // its own counts and tables
  UniqueFd init;                    // pidfd
  UniqueFd told;                    // eventfd: others have taken calls of this one
  UniqueFd watch;                   // epoll of the listener and `told`
  std::vector<Denial> pending;
};

// The listener of a session and all of its branches. Whoever runs a step takes what waits and answers it by
// whose it is; what was refused to another member is kept for that one. A member that floods it is killed, so
// that none can wear out another's. Thread-safe.
class FamilyListener {
 public:
  explicit FamilyListener(UniqueFd listener);

  // `init`: a pidfd of the member's pid 1, borrowed. The member leaves when its last owner lets go.
  Expected<std::shared_ptr<FamilyMember>> Join(int init, std::uint64_t pid_namespace);

  // Answers what waits, and what was refused to `member` since its last call.
  std::vector<Denial> Take(FamilyMember& member);

  // ---- While branches are made. The caller holds Hold(). ----
  std::unique_lock<std::mutex> Hold() { return std::unique_lock(mutex_); }

  // The next call of a process that is no member's; calls of members are answered meanwhile, but for those
  // of `origin`, which are returned too. Nothing after the deadline or the origin's end.
  std::optional<seccomp_notif> Await(const Deadline& deadline, const FamilyMember& origin);
  void Continue(std::uint64_t id);
  void Return(std::uint64_t id, std::int64_t value);
  void Refuse(std::uint64_t id, int err);
  // As any other call of `member`.
  void AnswerFor(FamilyMember& member, const seccomp_notif& call);
  // Puts a copy of `fd` into the caller's table under this number, close-on-exec, and answers with it, in one
  // step; false when that cannot be.
  bool Hand(std::uint64_t id, int fd, int number);
  bool StillWaits(std::uint64_t id) const;

 private:
  std::optional<seccomp_notif> Receive();
  std::shared_ptr<FamilyMember> MemberOf(std::uint32_t pid);
  void Reply(std::uint64_t id, std::int64_t value, int error, std::uint32_t flags);

  std::mutex mutex_;
  const UniqueFd listener_;
  std::vector<std::weak_ptr<FamilyMember>> members_;
  std::vector<std::uint64_t> call_buffer_;  // the kernel's sizes, which may exceed our headers'
  std::vector<std::uint64_t> response_buffer_;
};

// The inode of the pid namespace of a process, by its number here; 0 when it is gone.
std::uint64_t PidNamespaceOf(int pid);

}  // namespace casemate::container
