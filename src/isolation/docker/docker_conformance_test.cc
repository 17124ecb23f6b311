#include <gtest/gtest.h>

#include <cstdlib>

#include "isolation/conformance/conformance.h"
#include "isolation/docker/docker_backend.h"

namespace casemate::docker {
namespace {

EnvironmentView HostCommands() {
  EnvironmentView view;
  view.name = "commands";
  view.symlinks = {{"/bin", "usr/bin"}, {"/sbin", "usr/sbin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}};
  return view;
}

// Only an engine that is named: the suite makes dozens of containers and an image, which are not to appear in
// anybody's own. tests/docker starts one.
std::string WhyNot() {
  if (std::getenv("CASEMATE_TEST_DOCKER_HOST") == nullptr)  // NOLINT(concurrency-mt-unsafe): one thread
    return "CASEMATE_TEST_DOCKER_HOST names no Docker Engine for tests";
  const auto report = MakeDockerBackend()->Admit(Policy{});
  return report ? std::string() : report.error().message;
}

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): what throws there fails the test program
const bool kRegistered = [] {
  if (const char* host = std::getenv("CASEMATE_TEST_DOCKER_HOST"); host != nullptr)
    setenv("DOCKER_HOST", host, 1);
  conformance::Register({.name = "Docker",
                         .make = [] { return MakeDockerBackend(); },
                         .environment = HostCommands(),
                         .unavailable = WhyNot,
                         .private_root = true,
                         .tells_refused_calls = false,
                         .maps_ids = false});
  return true;
}();

TEST(DockerConformanceTest, IsRegistered) { EXPECT_TRUE(kRegistered); }

}  // namespace
}  // namespace casemate::docker
