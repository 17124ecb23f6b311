#pragma once

#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/result.h"
#include "confine/seccomp_filter.h"
#include "confine/seccomp_sockaddr.h"

namespace casemate {

// The supervisor's end of a sandbox's seccomp filter: answers each call that the filter refuses and tells
// what was refused. One owner, one thread. Never blocks, so that it can stand in the loop that watches the
// deadline.
//
// A flood of refused calls costs little: after kRefusalsMax of them (or kContinuedMax connects that were let
// through) the listener closes itself, and from then on the kernel answers ENOSYS to all such calls without
// waking anybody; nothing is ever granted by that.
//
// Only what the kernel refuses anyway is ever answered with `continue`: see seccomp_notify.cc.
class SeccompListener {
 public:
  static constexpr int kRefusalsMax = 4096;
  static constexpr int kContinuedMax = 65'536;
  static constexpr int kBatchMax = 64;  // calls answered by one Take()
  static constexpr std::size_t kDistinctMax =
      64;  // different (kind, what) told in a run; the rest are "other"

  // `listener` is InstallSeccompFilter's descriptor, or a copy received from the sandbox. Not valid: a
  // listener that is closed already.
  // `tables` are those of its filter, and outlive this.
  explicit SeccompListener(UniqueFd listener, const SeccompTables& tables = ContainerSeccompTables());

  // Readable when Take() has something to do; -1 once it is closed.
  int fd() const { return listener_.get(); }

  // From now on a connect to the loopback is the program's own affair: its network namespace has one, and
  // behind it nothing but this sandbox and the egress proxy.
  void LetLoopbackThrough() {
    loopback_ = true;
    met_network_ = true;
  }

  // Whether a socket of a network family may have been made: one was asked for, or the listener was closed
  // early.
  bool met_network() const { return met_network_; }

  // Answers one call that somebody else has received on this very filter's listener, and adds what was
  // refused.
  void Answer(const seccomp_notif& call, std::vector<Denial>& denials);
  // Whether it would have closed itself by now.
  bool flooded() const { return refusals_ >= kRefusalsMax || continued_ >= kContinuedMax; }
  // Gives up the descriptor to whoever answers from now on.
  UniqueFd Release() { return std::move(listener_); }

  // Answers what is waiting, at most kBatchMax calls (fd() stays readable when there are more), and returns
  // what was refused since the last Take(), added up by (kind, what): the caller adds up across calls. Closes
  // itself when the sandbox's last process is gone.
  std::vector<Denial> Take();

 private:
  bool TakeOne(std::vector<Denial>& denials);
  void AnswerConnect(const seccomp_notif& call, std::vector<Denial>& denials);
  void Send(std::uint64_t id, int error);
  void Continue(std::uint64_t id);
  void Reply(const seccomp_notif_resp& response);
  void Add(std::vector<Denial>& denials, Denial denial);
  bool StillWaits(std::uint64_t id) const;

  UniqueFd listener_;
  const SeccompTables* tables_;
  std::vector<std::uint64_t> call_buffer_;  // the kernel's sizes, which may exceed our headers'
  std::vector<std::uint64_t> response_buffer_;
  std::set<std::pair<std::string, std::string>> told_;
  int refusals_ = 0;
  int continued_ = 0;
  bool met_network_ = false;
  bool loopback_ = false;
};

// What a report says about a refused call: "mount", "ioctl TIOCSTI", "socket AF_PACKET", "system call 999".
std::string DescribeSyscall(const seccomp_data& data, const SeccompTables& tables = ContainerSeccompTables());

// The denial of a connect to a network address.
// `proxied`: there is an egress proxy.
Denial DescribeConnect(const PeerAddress& peer, bool proxied = false);

}  // namespace casemate
