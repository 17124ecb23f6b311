#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace casemate {

// Everything that the child does between fork and exec, decided and allocated before the fork. apply.cc
// carries it out and nothing else: it allocates nothing and takes no decision.

// An entry of the new root's own tmpfs, made in order; paths are relative ("usr/bin").
struct RootEntry {
  enum class Kind { kFolder, kFile, kSymlink };
  Kind kind = Kind::kFolder;
  std::string path;
  // A file's bytes, or a link's target with a NUL behind it: in the plan's `texts` or in the launch's own
  // spec.
  std::string_view content;
  mode_t mode = 0755;
};

// A host folder or file seen inside. `tree` is a detached mount (open_tree(2)) when the parent had the
// power to make it; otherwise the child makes it from `source` before it gives up the caller's user id.
struct BindMount {
  std::string source;
  std::string target;            // relative to the new root
  std::uint64_t attributes = 0;  // MOUNT_ATTR_*
  bool recursive = false;
  // The caller's own path: a symbolic link in it is refused (it was resolved when it was checked).
  bool given = false;
  UniqueFd tree;
};

// The writable file system: one tmpfs, so that one size and one count of files hold for all of it.
struct ScratchView {
  std::string name;    // its folder in the tmpfs
  std::string target;  // where that is seen, relative to the new root
  std::uint64_t attributes = 0;
  mode_t mode = 0700;
};
struct ScratchPlan {
  std::string options;             // of mount(2): size, nr_inodes, mode, uid, gid
  std::vector<ScratchView> views;  // the last is seen at /tmp
};

struct IdPlan {
  uid_t init_uid = 0;        // inside
  uid_t program_uid = 1000;  // inside; the gid is the same number
  bool change_ids = true;    // false with a single id mapped: both are that one already
  bool clear_groups = true;  // false where the caller may not (setgroups "deny")
  gid_t program_gid = 1000;  // of a program that keeps its ids; otherwise the same number as program_uid
  // The caller may not empty it. no_new_privs alone then keeps a file from giving a capability of it.
  bool keeps_bounding_set = false;
  // The program dies with its parent: only where that is no init, whose end the kernel makes the end of all.
  bool dies_with_parent = false;
};

struct ResourceLimit {
  int resource = 0;  // RLIMIT_*
  rlimit value{};
};

// A descriptor of the engine's that the program gets under another number.
struct DescriptorMove {
  int from = -1;
  int to = -1;
};

// Where the program may write; everything else is read and execute only (landlock(7)).
struct LandlockPlan {
  int abi = 0;                        // 0: the kernel has none, no second wall
  std::vector<std::string> writable;  // absolute, inside
  // Where there is no root of its own: all that it may reach besides, and nothing else.
  struct Grant {
    enum class Access { kRead, kReadAndExecute, kWrite, kDevice };
    std::string path;
    Access access = Access::kRead;
  };
  std::vector<Grant> grants;  // empty: "/" may be read
  // TCP connections may be made: its network namespace says where to.
  bool connects = false;
};

// A secret as a file /run/secrets/NAME, which the program alone may read.
struct SecretFile {
  std::string name;
  std::string_view bytes;  // in the launch's own locked memory
};

struct ConfinementPlan {
  bool unshare_cgroup = true;
  int egress_port =
      0;  // a socket listens there on its own loopback, for the engine; 0: the loopback stays down

  IdPlan ids;
  std::string root_options;  // of the root tmpfs
  std::vector<RootEntry> root_entries;
  std::deque<std::string> texts;  // its elements stay where they are
  std::vector<BindMount> binds;
  ScratchPlan scratch;
  std::string proc_options;
  std::string host_name;
  std::string working_dir;     // absolute, inside
  bool expects_files = false;  // a file stream follows LaunchGo

  // Its standard streams are a terminal of its own: `from` of the moves to 0, 1 and 2 is -1 until it is
  // there.
  bool terminal = false;

  int socket = -1;                          // the child's end of the launch socket
  int init_binary = -1;                     // memfd with the reaper
  int lifeline = -1;                        // read end: at its end when the engine is gone
  int exit_status = -1;                     // write end: init writes the program's wait status
  std::vector<DescriptorMove> descriptors;  // of the program; all others are closed
  // Every descriptor that this plan names, ascending. The child closes all others first: those of runs that
  // other threads are starting would keep their pipes from ending.
  std::vector<int> keep;
  std::vector<ResourceLimit> resource_limits;
  int oom_score_adj = 0;
  LandlockPlan landlock;
  // None for a zygote, which runs no foreign code: filters add up, and each of its cells installs the whole
  // one.
  std::span<const sock_filter> seccomp;

  std::vector<std::string> exec_candidates;  // tried in order, absolute
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "NAME=value"
  // The same of secrets, in locked memory of the launch's own; execve(2) wants them writable.
  std::vector<char*> secret_env;
  std::vector<SecretFile> secret_files;
};

}  // namespace casemate
