#include "isolation/conformance/suite.h"

#include <poll.h>

namespace casemate::conformance {
namespace {

class Quiet : public RunObserver {
 public:
  void OnStdout(std::string_view /*text*/) override {}
  void OnStderr(std::string_view /*text*/) override {}
  void OnResultBytes(std::string_view bytes) override { result += bytes; }
  void OnDenial(const Denial& /*denial*/) override {}
  std::optional<int> exit_code_told() const override {
    return result == kLastWord ? std::optional(0) : std::nullopt;
  }
  std::string result;
};

}  // namespace

LaunchSpec Suite::Shell(const std::string& script) const {
  LaunchSpec spec;
  spec.id = "run-conformance";
  spec.environment = subject_.environment;
  spec.argv = {"/bin/sh", "-c", script};
  spec.policy.limits.wall_time_ms = 20'000;
  return spec;
}

Suite::Ran Suite::Run(const LaunchSpec& spec, const RunInput& input) {
  auto sandbox = backend_->Launch(spec);
  if (!sandbox) {
    ADD_FAILURE() << sandbox.error().message << " (" << sandbox.error().cause << ")";
    return {};
  }
  Quiet observer;
  Ran ran{Supervise(**sandbox, spec.policy.limits, input, observer), {}, {}};
  pollfd gone{(*sandbox)->exit_fd(), POLLIN, 0};  // it may have been answered for before
  EXPECT_EQ(poll(&gone, 1, 20'000), 1);
  auto files = (*sandbox)->CollectFiles([](std::string_view) { return true; }, 1'000'000);
  EXPECT_TRUE(files) << files.error().message;
  if (files) ran.files = *std::move(files);
  ran.result = observer.result;
  return ran;
}

std::string Suite::Unclaimed(PolicyClause clause) {
  const auto report = backend_->Admit(Policy{});
  if (!report) return "";
  for (const NotEnforced& gap : report->not_enforced) {
    if (gap.guarantee == PolicyClauseName(clause)) return gap.guarantee + " is not claimed: " + gap.reason;
  }
  return "";
}

}  // namespace casemate::conformance
