#pragma once

#include <functional>
#include <memory>
#include <string>

#include "casemate/backend.h"

namespace casemate::conformance {

// How a tier is set up for the suite.
struct Subject {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  // What its sandboxes see; must have /bin/sh and the usual commands.
  EnvironmentView environment;
  // Why this host cannot run the tier, or "" when it can; then every test is skipped with it.
  std::function<std::string()> unavailable = [] { return std::string(); };
  // Whether a sandbox has a root, ids and a host name of its own: /workspace and /tmp are its own there, and
  // elsewhere only its working folder and $TMPDIR.
  bool private_root = true;
  // The program's user and group id there; 0 is a root without a capability.
  unsigned program_id = 1000;
  // Whether the tier tells of refused system calls (Sandbox::denial_fd).
  bool tells_refused_calls = true;
  // Whether a kernel of its own answers the program: then /sys is that one's, and a process limit that it
  // holds is told to the program alone.
  bool own_kernel = false;
  // Whether a host folder is seen under the program's own id; where it is not, the program has the rights of
  // a stranger there.
  bool maps_ids = true;
  // Whether it can show a folder of the host that changes, or that the program changes. Where not, such a run
  // is refused, and what is only read is a copy.
  bool shares_host_folders = true;
  // Whether its processor is emulated, which is twenty times slower: fewer runs show the same.
  bool emulated = false;
};

// A test of a guarantee that the tier does not claim here is skipped, with what the tier's own report says of
// it. Registers the suite for `subject` with GoogleTest, as "Conformance/<name>.<test>". Call before
// RUN_ALL_TESTS, for instance from a static initialiser.
void Register(const Subject& subject);

}  // namespace casemate::conformance
