#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "isolation/conformance/conformance.h"
#include "isolation/process/process_backend.h"

namespace casemate::process {
namespace {

EnvironmentView HostCommands() {
  EnvironmentView view;
  view.name = "host";
  view.read_only_paths = {"/usr"};
  return view;
}

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): what throws there fails the test program
const bool kRegistered = [] {
  conformance::Register({.name = "Process",
                         .make =
                             [] {
                               return MakeProcessBackend(testing::TempDir() + "/casemate-locks-" +
                                                         std::to_string(geteuid()));
                             },
                         .environment = HostCommands(),
                         .unavailable =
                             [] {
                               const auto report = MakeProcessBackend("")->Admit(Policy{});
                               return report ? std::string() : report.error().message;
                             },
                         .private_root = false,
                         .maps_ids = false});
  return true;
}();

TEST(ProcessConformanceTest, IsRegistered) { EXPECT_TRUE(kRegistered); }

}  // namespace
}  // namespace casemate::process
