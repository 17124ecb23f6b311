#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "casemate/policy.h"
#include "casemate/secret.h"

namespace casemate {

// How a host folder is seen at /workspace.
enum class WorkspaceMode {
  kReadOnly,   // as it is
  kCopy,       // a private copy; the host's folder is never changed
  kReadWrite,  // the folder itself; what the program writes stays
};
std::string_view WorkspaceModeName(WorkspaceMode mode);  // "ro", "copy", "rw"
std::optional<WorkspaceMode> ParseWorkspaceMode(std::string_view name);

struct Workspace {
  std::string host_path;
  WorkspaceMode mode = WorkspaceMode::kReadOnly;
};

// A further host folder or file (`-v HOST:INSIDE:ro`).
struct HostMount {
  std::string host_path;
  std::string inside_path;  // absolute
  bool writable = false;
};

struct InputFile {
  std::string name;   // relative to /workspace, no "..", no leading "/"
  std::string bytes;  // any bytes
};

// A terminal for the program, whose three streams it then is, made in its sandbox. Descriptors of the
// caller's process, not owned.
struct Terminal {
  int size_fd = -1;     // a terminal whose rows and columns it takes; -1 for none
  int resized_fd = -1;  // an eventfd(2), readable when they have changed
};

// Who asks, as the surface that took the request knows it; never read from the request itself.
struct Origin {
  std::string surface = "library";  // "cli", "http"
  std::string caller;               // "uid:1000"; empty for the user of this process
  std::string session;
  std::string trace_parent;  // the caller's trace context (W3C Trace Context, "traceparent")
  std::string trace_state;   // what its tracing systems say besides ("tracestate"); means nothing without one
};

// One program to run. Plain data: copyable, no hidden state. Exactly one of `code` and `command` is set.
struct ExecutionRequest {
  std::optional<std::string> code;    // source text
  std::string code_name = "main.py";  // the file name that tracebacks show; no "/"
  std::vector<std::string> command;   // any command of the environment, instead of code
  std::string language = "python";
  std::vector<std::string> args;  // sys.argv[1:]

  std::optional<std::string> input_json;     // seen as INPUT_DATA; any JSON text
  std::optional<std::string> input_schema;   // JSON Schema text that the input must meet
  std::optional<std::string> result_schema;  // JSON Schema text that the result must meet

  std::string stdin_bytes;  // given to the program's stdin, then end of file
  int stdin_fd = -1;        // or: a descriptor to read stdin from while it runs (not owned)

  std::optional<Terminal> terminal;  // of a request of this process alone; stdin may be given or not

  // False: stdout and stderr go to the event sink alone, so that memory does not grow with them.
  bool keep_streams = true;

  std::vector<InputFile> files;
  std::optional<Workspace> workspace;
  std::vector<HostMount> mounts;
  std::vector<std::string> collect;  // globs of workspace files to return; "**" for all; empty for none

  std::map<std::string, std::string> env;
  std::vector<SecretRequest> secrets;  // where they are; their values are never in a request

  std::string policy = "default";        // a profile's name
  std::map<std::string, double> limits;  // overrides, by the field names of Limits
  bool require_limits = false;
  std::optional<NetworkPolicy> network;            // unset: what the profile says
  std::optional<ChecksMode> checks;                // unset: what the profile says
  std::vector<std::string> allowed_packages;       // added to the profile's
  std::map<std::string, std::int64_t> complexity;  // limits, before the profile's
  // Unset: the strongest that is ready here and not below `require`. The result says which, and why no
  // stronger one.
  std::optional<Tier> isolation;
  // The program that makes the sandbox: "crun", "runc", "runsc" or "kata"; empty for the tier's own.
  std::string runtime;
  std::optional<Tier> require;  // a floor; without one, and without a tier by name, it is the container

  // What is taken out of all that the run lets out: "secrets", "pii", "internal", several with commas, "all",
  // or "off" for no rules. The values that it was given as secrets always are.
  std::string redact = "secrets";
  bool redact_files = false;            // of collected files too
  std::vector<std::string> redact_off;  // rules of those sets that are left out, by name
  std::string redact_rules;             // further rules: TOML in the form of profiles/redaction/

  std::string environment = "host";

  Origin origin;  // for the audit log; no surface takes it from a request's text
};

}  // namespace casemate
