#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "isolation/conformance/conformance.h"
#include "isolation/container/container_backend.h"
#include "isolation/microvm/microvm_backend.h"

namespace casemate::microvm {
namespace {

EnvironmentView HostCommands() {
  EnvironmentView view;
  view.name = "commands";
  view.symlinks = {{"/bin", "usr/bin"}, {"/sbin", "usr/sbin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}};
  return view;
}

// Kept from one test to the next: a template takes seconds.
std::string CacheFolder() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  if (const char* wanted = std::getenv("CASEMATE_TEST_MICROVM_CACHE"); wanted != nullptr) return wanted;
  return testing::TempDir() + "/casemate-microvm-test-" + std::to_string(geteuid());
}

std::unique_ptr<Backend> Make() {
  const std::string locks = geteuid() == 0 ? "/run/casemate" : CacheFolder() + "/locks";
  return MakeMicrovmBackend(container::MakeContainerBackend(locks, {}), CacheFolder());
}

std::string WhyNot() {
  const auto report = Make()->Admit(Policy{});
  return report ? std::string() : report.error().message;
}

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): what throws there fails the test program
const bool kRegistered = [] {
  conformance::Register({.name = "Microvm",
                         .make = Make,
                         .environment = HostCommands(),
                         .unavailable = WhyNot,
                         .private_root = true,
                         .tells_refused_calls = false,
                         .own_kernel = true,
                         .shares_host_folders = false,
                         .emulated = true});
  return true;
}();

TEST(MicrovmConformanceTest, IsRegistered) { EXPECT_TRUE(kRegistered); }

}  // namespace
}  // namespace casemate::microvm
