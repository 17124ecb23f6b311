#include "environments/build/image_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/command.h"

namespace casemate {
namespace {

constexpr std::int64_t kTimeoutMs = 30 * 60'000;
constexpr std::size_t kWordsMax = 500;
// What docker and skopeo find their daemon, credentials and proxies by.
constexpr std::array kVariables = {"HOME",
                                   "DOCKER_HOST",
                                   "DOCKER_CONTEXT",
                                   "DOCKER_CONFIG",
                                   "DOCKER_TLS_VERIFY",
                                   "DOCKER_CERT_PATH",
                                   "REGISTRY_AUTH_FILE",
                                   "XDG_RUNTIME_DIR",
                                   "SSL_CERT_FILE",
                                   "SSL_CERT_DIR",
                                   "https_proxy",
                                   "HTTPS_PROXY",
                                   "no_proxy",
                                   "NO_PROXY"};
constexpr std::array<std::string_view, 3> kLoopback = {"127.", "localhost:", "[::1]:"};

struct Tool {
  const char* program;
  const char* package;
};
constexpr Tool kDocker{"docker", "docker.io"};
constexpr Tool kSkopeo{"skopeo", "skopeo"};

// What it said when it failed; nothing when it did not.
Expected<std::string> Run(const Tool& tool, std::vector<std::string> words) {
  CommandOptions options;
  options.timeout_ms = kTimeoutMs;
  for (const char* variable : kVariables) {
    const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nothing sets any
    if (value != nullptr) options.env[variable] = value;
  }
  words.insert(words.begin(), tool.program);
  const auto done = RunCommand(words, options);
  if (!done && done.error().code != ErrorCode::kNotFound) return std::unexpected(done.error());
  if (!done || done->exit_code == 127) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("there is no {} in PATH that could fetch the image: install it with \"apt-get install "
                    "{}\", or use image:FILE with what another host saved",
                    tool.program, tool.package));
  }
  if (done->exit_code == 0) return std::string();
  std::string said = done->err.substr(0, kWordsMax);
  while (said.ends_with('\n')) said.pop_back();
  return said.empty() ? fmt::format("exit code {}", done->exit_code) : said;
}

std::unexpected<Error> NotFetched(std::string message, std::string said) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message), std::move(said));
}

}  // namespace

Expected<void> SaveFromDocker(const std::string& name, const std::string& file, BuildProgress& progress) {
  if (name.starts_with('-'))
    return Fail(ErrorCode::kInvalidRequest, "a Docker image's name begins with no dash");
  progress.Step("saving", name, 0, 0);
  auto said = Run(kDocker, {"save", "-o", file, name});
  if (!said) return std::unexpected(said.error());
  if (said->find("No such image") != std::string::npos || said->find("does not exist") != std::string::npos) {
    progress.Step("pulling", name, 0, 0);
    said = Run(kDocker, {"pull", "--quiet", name});
    if (!said) return std::unexpected(said.error());
    if (!said->empty()) {
      return NotFetched(
          fmt::format("the Docker daemon neither has the image {} nor can pull it: check its name, and "
                      "the daemon's network and credentials",
                      name),
          *said);
    }
    progress.Step("saving", name, 0, 0);
    said = Run(kDocker, {"save", "-o", file, name});
    if (!said) return std::unexpected(said.error());
  }
  if (said->empty()) return {};
  return NotFetched(
      fmt::format("docker cannot save the image {}: see that its daemon runs, with \"docker info\"", name),
      *said);
}

Expected<void> CopyFromRegistry(const std::string& name, const std::string& file, BuildProgress& progress) {
  progress.Step("pulling", name, 0, 0);
  const bool loopback =
      std::ranges::any_of(kLoopback, [&name](std::string_view host) { return name.starts_with(host); });
  // The digest is what is trusted, so no policy of signatures is asked for (containers-policy.json(5)).
  const auto said = Run(kSkopeo, {"--insecure-policy", "copy", fmt::format("--src-tls-verify={}", !loopback),
                                  "docker://" + name, "oci-archive:" + file});
  if (!said) return std::unexpected(said.error());
  if (said->empty()) return {};
  return NotFetched(
      fmt::format(
          "the image {} cannot be fetched: check its name and digest, the network, and the credentials of "
          "\"skopeo login\"",
          name),
      *said);
}

}  // namespace casemate
