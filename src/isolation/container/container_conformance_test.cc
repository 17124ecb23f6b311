#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "isolation/conformance/conformance.h"
#include "isolation/container/container_backend.h"

namespace casemate::container {
namespace {

EnvironmentView HostCommands() {
  EnvironmentView view;
  view.name = "host";
  view.read_only_paths = {"/usr"};
  view.symlinks = {{"/bin", "usr/bin"}, {"/sbin", "usr/sbin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}};
  return view;
}

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): what throws there fails the test program
const bool kRegistered = [] {
  conformance::Register({"Container",
                         [] {
                           return MakeContainerBackend(testing::TempDir() + "/casemate-locks-" +
                                                       std::to_string(geteuid()));
                         },
                         HostCommands()});
  return true;
}();

TEST(ContainerConformanceTest, IsRegistered) { EXPECT_TRUE(kRegistered); }

}  // namespace
}  // namespace casemate::container
