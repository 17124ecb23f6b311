#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/request.h"
#include "casemate/result.h"
#include "casemate/warm.h"

namespace casemate {

// What the sandbox sees of the host's interpreter and libraries: folders bound read-only at their own paths.
struct EnvironmentView {
  std::string name;                          // "host"
  std::string python;                        // absolute path inside, "" when the environment has none
  std::vector<std::string> read_only_paths;  // folders and files, parents before children
  std::vector<std::pair<std::string, std::string>> symlinks;  // path inside -> target ("/bin" -> "usr/bin")
  std::vector<std::string> sys_path;                          // of the interpreter, in order
  std::string python_prefix;   // its sys.prefix: a venv's own, which `python -S` does not find by itself
  std::string python_version;  // "3.11.2"

  // Of an environment that was built; of the host's own they are empty.
  std::string id;                         // 64 hexadecimal digits: the hash of all that went in
  std::string base_python;                // the host's interpreter that a virtual environment stands on
  std::vector<std::string> hidden_paths;  // folders in read_only_paths that are seen empty, where a tier can
  std::string empty_folder;               // what they are covered with, a folder of the host
  std::vector<std::string> preload;       // modules that its warm cells import besides the engine's own
  // A root of its own (an image): each a path of the host and where it is seen. Then read_only_paths is empty
  // but for what must lie where it lies, and only a tier that places roots can show it.
  std::vector<std::pair<std::string, std::string>> placed_paths;
  std::vector<std::string> devices;  // of the host besides the usual, seen where they are; never a caller's
  std::map<std::string, std::string> variables;  // that its programs expect, such as an image's PATH
  std::shared_ptr<const void> lease;             // while it lives, nobody removes the environment
  friend bool operator==(const EnvironmentView&, const EnvironmentView&) = default;
};

// A file of ours in the sandbox's read-only root (the harness, the program's own source).
struct RootFile {
  std::string path;  // absolute, below /casemate or /code
  std::string bytes;
};

// All that a backend needs to start one program; complete and checked, nothing left to decide.
struct LaunchSpec {
  std::string id;
  Policy policy;
  EnvironmentView environment;
  std::vector<std::string> argv;  // argv[0] is looked up in PATH unless it has a "/"
  std::map<std::string, std::string> env;
  // To be given as their modes say, and to be left nowhere else; a tier that cannot refuses them.
  std::vector<ResolvedSecret> secrets;
  std::string working_dir = "/workspace";
  std::vector<RootFile> root_files;
  std::vector<InputFile> files;
  std::optional<Workspace> workspace;
  std::vector<HostMount> mounts;
  std::optional<Terminal> terminal;  // stdout is then all that the program writes
  bool stdin_pipe = false;           // otherwise stdin is at its end at once
  bool control_channel = false;      // request and result descriptors for the harness
  // Of a session: with this token its steps tell their ends (runtime/python/session.py). Empty: one program.
  std::string session;
};

// The descriptor numbers that the harness finds. Above RLIMIT_NOFILE, so that no loop over 0..1023 in the
// program can write to or close them.
inline constexpr int kRequestFd = 1100;
inline constexpr int kResultFd = 1101;

// The engine's ends of a live sandbox's channels; -1 where there is none. Owned by the Sandbox, except
// that a pump may close one early through CloseChannel.
enum class Channel { kStdin, kStdout, kStderr, kRequest, kResult };

// A reading of the kernel's own counters.
struct ResourceReading {
  std::int64_t cpu_time_us = 0;
  std::int64_t memory_peak_bytes = 0;
  std::int64_t memory_kills = 0;      // out-of-memory kills inside the sandbox
  std::int64_t process_refusals = 0;  // forks refused by the process limit
  std::int64_t processes_peak = 0;
  std::int64_t tmp_bytes = 0;
  std::int64_t tmp_files = 0;
  bool tmp_full = false;     // its bytes or its files were used up at some look
  bool memory_over = false;  // a sampled mechanism saw more than the limit
  bool disk_over = false;    // the same for its files
};

// How the program (not the sandbox's init) ended.
struct ExitReport {
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool init_failed = false;  // the sandbox's own init could not do its work: our fault, not the program's
};

// What a sandbox can that was launched for a session. The first three: any thread, as long as it lives.
class SessionControl {
 public:
  virtual ~SessionControl() = default;
  // SIGINT for the interpreter alone. Harmless when it is gone.
  virtual void Interrupt() noexcept = 0;
  // /workspace, and the user namespace in which its files have owners. Owned by the sandbox.
  virtual int workspace_fd() const = 0;
  virtual int user_namespace_fd() const = 0;
  virtual bool change_ids() const = 0;  // false: the caller's own id is the only one mapped
  // Forgets what was full or over before: a step begins.
  virtual void BeginStep() = 0;
  // Between steps: what all processes have used so far, and lets go of descriptors that only a step needs.
  virtual std::int64_t CpuTimeUs() = 0;
  virtual void Rest() = 0;
};

// A program running behind a tier's walls. One owner, one thread. The destructor kills what still runs and
// removes every trace: processes, cgroups, mounts.
class Sandbox {
 public:
  virtual ~Sandbox() = default;

  virtual int ChannelFd(Channel channel) const = 0;
  virtual void CloseChannel(Channel channel) = 0;

  // Whether a channel holds what its program wrote as soon as that has written it, and Read() what it used: a
  // program that tells its end is believed then, ended and answered for at once. Not where somebody carries
  // the bytes over a wire, and tells last what was used: its end is waited for.
  virtual bool writes_directly() const { return false; }

  // Whether its program is likely to end in less time than it takes to fall asleep and be woken, and nobody
  // else in this process wants the processor meanwhile: the supervisor stays awake for a moment.
  virtual bool may_be_awaited() const { return false; }

  // Bytes to send on Channel::kRequest before the request's own; valid as long as the sandbox. Empty for a
  // sandbox that was started for its program.
  virtual std::string_view request_prefix() const { return {}; }

  // When the program was executed, as MonotonicUs().
  virtual std::int64_t started_at_us() const = 0;

  // Becomes readable when every process of the sandbox is gone.
  virtual int exit_fd() const = 0;
  // Valid once exit_fd() is readable.
  virtual ExitReport Exit() = 0;

  // Ends all processes of the sandbox with SIGKILL, at once. Returns before they are gone.
  virtual void Kill() noexcept = 0;

  virtual ResourceReading Read() = 0;
  // The same for a program that has told its end: a tier that looks at some of it now and then looks now.
  virtual ResourceReading ReadAtEnd() { return Read(); }

  // Readable when the sandbox has refused something worth telling; -1 where the tier cannot tell.
  virtual int denial_fd() const = 0;
  // Takes what is waiting there. `fatal` is set when the program must be killed for it.
  struct Refusals {
    std::vector<Denial> denials;
    bool fatal = false;
  };
  virtual Refusals TakeRefusals() = 0;

  // Where the program's connections to 127.0.0.1:kEgressPort come, from before it runs: the socket that
  // listens there, in the sandbox's own network namespace; or, where that is out of the host's reach, a
  // SOCK_SEQPACKET one over which each connection comes as a stream socket, its descriptor with one byte. -1
  // where the policy has no network. Owned by the sandbox.
  virtual int egress_fd() const { return -1; }

  // The regular files below /workspace for which `wanted` (their relative path) is true, once exit_fd() is
  // readable. At most `bytes_max` bytes in all: files beyond that come without their content and with
  // `truncated` set. Symbolic links, devices and pipes are never followed or opened.
  using WantedFile = std::function<bool(std::string_view)>;
  virtual Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted,
                                                         std::int64_t bytes_max) = 0;

  // The steps of the start, on both sides of the fork.
  virtual std::vector<Timing> StartTimings() const = 0;

  // Null for a sandbox that was not launched for a session.
  virtual SessionControl* session() { return nullptr; }
};

// One isolation tier. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual Tier tier() const = 0;
  // The program that makes its sandboxes, as a request names it (`--runtime`); "" for Casemate itself.
  virtual std::string_view runtime() const { return {}; }
  // Whether it is taken only where a request names it, or requires what no other gives: its starts take long.
  virtual bool only_by_name() const { return false; }
  // Why only a request that names the tier gets it on this host, whatever else it requires; "" where others
  // may.
  virtual std::string why_never_chosen() { return ""; }
  // Answers every clause of `policy` for this host: what holds it, or a refusal (kUnavailable) that names
  // the clause and the remedy.
  virtual Expected<EnforcementReport> Admit(const Policy& policy) = 0;
  // Whether it can give a program another root than the host's (EnvironmentView::placed_paths).
  virtual bool PlacesRoots() const { return false; }
  // Whether its sandboxes can have an egress_fd(); a policy with a network is refused where not.
  virtual bool CarriesNetwork() const { return false; }
  // Whether it can give a program a terminal.
  virtual bool CarriesTerminal() const { return false; }
  // Keeps cells of this environment warm from now on, where the tier can; `root_files` are the harness's.
  virtual void KeepWarm(const EnvironmentView& /*environment*/, const std::vector<RootFile>& /*root_files*/) {
  }
  virtual std::vector<PoolStatus> Pools() const { return {}; }
  // Starts the program. On an error nothing was started and nothing is left.
  virtual Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) = 0;
};

}  // namespace casemate
