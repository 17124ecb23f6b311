#include "secrets/cmd/cmd_provider.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "secrets/provider/secret_command.h"

namespace casemate::secrets {
namespace {

constexpr const char* kWho = "the command of a cmd: reference";
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kUnavailable, std::move(message));
}

class CmdProvider : public Provider {
 public:
  std::string_view scheme() const override { return "cmd"; }
  std::string_view form() const override { return "cmd:COMMAND"; }
  bool waits() const override { return true; }
  Expected<void> Check(std::string_view /*place*/) const override { return {}; }

  Expected<Fetched> Fetch(std::string_view place, const Deadline& deadline) override {
    const std::array<std::string, 3> shell{"/bin/sh", "-c", std::string(place)};
    auto ran = RunForSecret(shell, kWho, kSecretBytesMax, deadline);
    if (!ran) return std::unexpected(ran.error());
    return Judge(std::move(ran->text), ran->exit_code);
  }

 private:
  static Expected<Fetched> Judge(SecretValue value, int exit_code) {
    Fetched fetched;
    if (exit_code == kNotFound || exit_code == kNotExecutable || exit_code > 128) {
      return Refuse(fmt::format("{} failed with exit code {}: try it in a shell", kWho, exit_code));
    }
    if (exit_code != 0) {
      fetched.missing = fmt::format("the command of its cmd: reference ended with exit code {}", exit_code);
      return fetched;
    }
    if (value.empty()) return Refuse(fmt::format("{} printed nothing: try it in a shell", kWho));
    auto exact = SecretValue::Copy(value.Reveal());
    if (!exact) return std::unexpected(exact.error());
    fetched.value = *std::move(exact);
    return fetched;
  }
};

}  // namespace

std::unique_ptr<Provider> MakeCmdProvider() { return std::make_unique<CmdProvider>(); }

}  // namespace casemate::secrets
