#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace casemate::seccomp_tool {

// One comparison: (argument & mask) == value.
struct Condition {
  unsigned argument = 0;  // 0 to 5
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

enum class Action { kAllow, kErrno };

// What is done with one system call when all conditions of one of `alternatives` hold; an alternative
// without conditions always holds.
struct Rule {
  std::string syscall;
  std::vector<std::string> architectures;
  Action action = Action::kAllow;
  int errno_value = 0;
  std::vector<std::vector<Condition>> alternatives;
  std::string where;  // "PATH:LINE"
};

// What the supervisor answers and reports for a family of refused calls.
struct Family {
  std::string name;
  std::vector<std::string> syscalls;
  std::vector<std::string> architectures;
  std::string reason;
  std::string remedy;
  int answer = 0;     // an errno
  int argument = -1;  // the one to show; -1 for none
  bool flags = false;
  std::vector<std::pair<std::string, std::uint32_t>> argument_names;
  std::string where;  // "PATH:LINE"
};

// A system call without a name in libseccomp; the same number on all architectures.
struct NewerCall {
  std::string name;
  int number = 0;
  bool report = true;
  std::string reason;
  std::string where;  // "PATH:LINE"
};

struct Profile {
  std::string name;
  std::vector<std::string> architectures;
  std::vector<Rule> rules;
  std::vector<Family> families;  // the first is `unlisted`
  std::vector<NewerCall> newer;
  // Whether socket and connect, where they are refused, are looked at by the supervisor, which may let them
  // pass: only where nothing of the host can be reached.
  bool supervises_sockets = false;
};

// Reads and checks a profile, which is in two files: what is allowed, and how refusals are told. A profile
// with a `base` takes all of that one's (in its own two files), refuses what its own [denied] names, and may
// except calls from that by argument; it never allows more than its base. Every fault adds one line
// "PATH:LINE: sentence" to `errors`; the profile may be used only when there are none.
Profile LoadProfile(const std::string& allowed, const std::string& refusals,
                    std::vector<std::string>& errors);

}  // namespace casemate::seccomp_tool
