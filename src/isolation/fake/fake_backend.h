#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "casemate/backend.h"

namespace casemate::fake {

// What a fake program does; a thread plays it over real pipes, so that the supervisor cannot tell.
struct Script {
  std::string stdout_text;
  std::string stderr_text;
  std::string result_bytes;    // as the harness would write them
  bool reads_request = true;   // to its end, before it writes anything
  bool echoes_stdin = false;   // to stdout
  bool carried = false;        // Sandbox::writes_directly() is false
  bool runs_for_ever = false;  // until it is killed
  ExitReport exit{0, std::nullopt};
  ResourceReading reading;  // what Read() tells, from the start
  std::vector<Denial> denials;
  bool denials_fatal = false;
  std::vector<OutputFile> files;
};

// A backend without a kernel: records what it was asked and plays scripts.
class FakeBackend : public Backend {
 public:
  explicit FakeBackend(Script script, Tier tier = Tier::kContainer)
      : script_(std::move(script)), tier_(tier) {}

  Tier tier() const override { return tier_; }
  Expected<EnforcementReport> Admit(const Policy& policy) override;
  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override;

  // Errors to give instead.
  std::optional<Error> admit_error;
  std::optional<Error> launch_error;
  // What was launched last, and what its program read.
  std::optional<LaunchSpec> launched;
  std::shared_ptr<std::string> request_seen = std::make_shared<std::string>();

 private:
  Script script_;
  Tier tier_;
};

}  // namespace casemate::fake
