#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "confine/id_pool.h"
#include "isolation/conformance/conformance.h"
#include "isolation/oci/oci_backend.h"

namespace casemate::oci {
namespace {

EnvironmentView HostCommands() {
  EnvironmentView view;
  view.name = "host";
  view.read_only_paths = {"/usr"};
  view.symlinks = {{"/bin", "usr/bin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}, {"/sbin", "usr/sbin"}};
  return view;
}

std::unique_ptr<Backend> Make(RuntimeKind kind) {
  return MakeOciBackend(kind, testing::TempDir() + "/casemate-locks-" + std::to_string(geteuid()));
}

void Register(RuntimeKind kind, const std::string& name) {
  conformance::Subject subject;
  subject.name = name;
  subject.make = [kind] { return Make(kind); };
  subject.environment = HostCommands();
  subject.unavailable = [kind] {
    const auto report = Make(kind)->Admit(Policy{});
    return report ? std::string() : report.error().message;
  };
  subject.tells_refused_calls = false;
  if (FindIdSource().kind == IdSource::Kind::kSingle) subject.program_id = 0;
  subject.own_kernel = TierOf(kind) >= Tier::kGvisor;
  conformance::Register(subject);
}

// NOLINTNEXTLINE(bugprone-throwing-static-initialization): what throws there fails the test program
const bool kRegistered = [] {
  Register(RuntimeKind::kCrun, "Crun");
  Register(RuntimeKind::kRunc, "Runc");
  Register(RuntimeKind::kRunsc, "Gvisor");
  return true;
}();

TEST(OciConformanceTest, IsRegistered) { EXPECT_TRUE(kRegistered); }

}  // namespace
}  // namespace casemate::oci
