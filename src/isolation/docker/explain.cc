#include "isolation/docker/explain.h"

#include <thread>

#include "isolation/docker/container_config.h"
#include "isolation/docker/image.h"

namespace casemate::docker {
namespace {

constexpr const char* kProfileName = "seccomp.json";

// For a POSIX shell.
std::string Quote(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char letter : word) quoted += letter == '\'' ? std::string(R"('\'')") : std::string(1, letter);
  return quoted + "'";
}

}  // namespace

std::vector<Document> ExplainRun(const LaunchSpec& spec) {
  HostFacts host;
  host.cpus = static_cast<int>(std::thread::hardware_concurrency());
  const std::string image = ImageName(spec.environment);
  std::string line;
  for (const std::string& word : DockerRunWords(spec, host, image, kProfileName))
    line += (line.empty() ? "" : " ") + Quote(word);
  std::vector<Document> documents{{"docker run", line + "\n"}};
  if (const auto config = ContainerConfig(spec, host, image, "", spec.id)) {
    documents.push_back({"POST /containers/create", *config + "\n"});
  }
  documents.push_back({kProfileName, SeccompProfile(spec.policy.network) + "\n"});
  return documents;
}

}  // namespace casemate::docker
