// What the suite's cases stand on. Only the files of this folder include it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/conformance/conformance.h"
#include "supervise/supervisor.h"

namespace casemate::conformance {

// What a program writes to the result channel to be taken for one that has told its end, with exit code 0.
inline constexpr std::string_view kLastWord = "the end";

class Suite : public testing::Test {
 public:
  explicit Suite(const Subject& subject) : subject_(subject), backend_(subject.make()) {}

  // A run's outcome, and its files.
  struct Ran {
    Outcome outcome;
    std::vector<OutputFile> files;
    std::string result;
  };

  // A run of /bin/sh with a deadline of 20 s.
  LaunchSpec Shell(const std::string& script) const;

  // Launches and supervises it; a refusal to launch is a failure of the test.
  Ran Run(const LaunchSpec& spec, const RunInput& input = {});

  Outcome RunShell(const std::string& script) { return Run(Shell(script)).outcome; }

  Backend& backend() { return *backend_; }
  bool private_root() const { return subject_.private_root; }
  bool tells_refused_calls() const { return subject_.tells_refused_calls; }
  unsigned program_id() const { return subject_.program_id; }
  bool own_kernel() const { return subject_.own_kernel; }
  bool maps_ids() const { return subject_.maps_ids; }
  bool shares_host_folders() const { return subject_.shares_host_folders; }
  bool emulated() const { return subject_.emulated; }

  // Why a test of `clause` says nothing here: the tier does not claim it. "" when it does.
  std::string Unclaimed(PolicyClause clause);

 private:
  Subject subject_;
  std::unique_ptr<Backend> backend_;
};

struct Case {
  const char* name;
  void (*body)(Suite& suite);
  // The guarantee that it attacks. Where the tier does not claim it the test is skipped.
  std::optional<PolicyClause> guarantee = std::nullopt;
  // Holds for a tier too that does not claim the whole of the guarantee.
  bool always = false;
};

// What a run is given and gives back, what it can see and what is left of it.
std::span<const Case> GeneralCases();
// Each limit, by a program that goes beyond it.
std::span<const Case> LimitCases();

}  // namespace casemate::conformance
